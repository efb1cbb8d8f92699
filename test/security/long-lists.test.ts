import assert from 'node:assert/strict';
import { StatementSync } from 'node:sqlite';
import { after, before, mock, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { mostSecrets } from '../../src/capabilities/oidc/clients/client-secrets.ts';
import { defaultSettings } from '../../src/capabilities/oidc/clients/clients.ts';
import type { Database } from '../../src/ground/database/database.ts';
import { insertAll } from '../../src/ground/database/insert-new.ts';
import { runPart } from '../../src/ground/database/long-work.ts';
import type { NewRow, Tables } from '../../src/ground/database/schema.ts';
import { boundedTables, boundOf } from '../../src/ground/database/tables.ts';
import { signInAs } from '../capabilities/admin/administrator.ts';
import { type Operation, readDocument, type Schema } from '../fuzz/document.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { startJanua, type TestJanua } from '../janua.ts';

/** Of a response, in bytes. */
const largest = 300_000;
/** Of one list in a response. */
const mostEntries = 200;

const hour = 3_600_000;
const now = Date.now();
const at = (index: number) => now - index * 1000;
const key = (index: number) => String(index).padStart(22, 'k');
/** An id in order of time. */
const timed = (index: number) => `019ab8f0-0000-7000-8000-${String(index).padStart(12, '0')}`;
const later = now + hour;

interface Owner {
  readonly id: string;
  readonly username: string;
  readonly stamp: string;
}

type Fill<Table extends keyof Tables> = readonly [count: number, row: (index: number, owner: Owner) => NewRow<Table>];

const { name: _, ...plain } = defaultSettings;
const settingsOf = (index: number) => ({
  ...plain,
  redirectUris: [`https://app-${index}.example.com/callback`],
  clientUri: `https://app-${index}.example.com/`,
  groups: index % 2 === 0 ? [] : [`team-${index % 500}`, 'team-1', 'team-3', 'admins'],
});

const secretsOf = (index: number) =>
  JSON.stringify(
    Array.from({ length: mostSecrets }, (_, count) => ({
      ...{ name: `Secret ${count}`, hash: key(index), createdAt: at(index), expiresAt: later },
    })),
  );

/** Rows of one user and of all administrators, as many as there may be. `none`: no list shows rows of this table. A new table is entered here. */
const filled: { readonly [Table in keyof Tables]: Fill<Table> | 'none' } = {
  janua_users: [
    1000,
    (index) => ({
      id: key(index),
      ...{
        username: `user-${index}@example.com`,
        login_name: `user-${index}@example.com`,
        password: 'none',
        first_name: 'Ann',
        last_name: 'Archer',
      },
      ...{ demo: 0, disabled: 0, created_at: at(index), password_changed_at: at(index) },
      import_id: timed(index % 100),
    }),
  ],
  janua_handles: 'none',
  janua_imports: [
    100,
    (index) => ({
      id: timed(index),
      ...{ label: `people-${index}.csv`, actor_id: null, operator: 'root', added: 9, created_at: at(index) },
    }),
  ],
  janua_sources: 'none',
  janua_sessions: [
    99,
    (index, { id, stamp }) => ({
      id: key(index),
      ...{ user_id: id, password_fingerprint: stamp, cookie_hash: key(index), token_hash: `t${key(index)}` },
      ...{ created_at: at(index), last_seen_at: now, expires_at: later, user_agent: 'A browser', remembered: 0 },
    }),
  ],
  janua_ended_sessions: 'none',
  janua_not_before: 'none',
  janua_keys: 'none',
  janua_leases: 'none',
  janua_applied_files: 'none',
  janua_pictures: 'none',
  janua_times: 'none',
  janua_failures: [
    1000,
    (index) => ({
      key: `address:10.${index >> 8}.${index & 255}.1`,
      ...{ count: 1000, last_at: now, expires_at: now + 24 * hour },
    }),
  ],
  janua_audit: [
    1000,
    (index, { id }) => {
      const event = { kind: 'login-succeeded', userId: id, caller: { route: 'POST /auth/token' } };
      const row = { id: timed(index), at: at(index), kind: event.kind, user_id: id };
      return { ...row, request_id: null, event: JSON.stringify(event) };
    },
  ],
  janua_tokens: [
    50,
    (index, { id, username, stamp }) => ({
      hash: key(index),
      ...{ purpose: 'reset-password', user_id: id, address: username, stamp, expires_at: later },
    }),
  ],
  janua_invite_links: [
    20,
    (index, { id }) => ({
      id: timed(index),
      ...{ hash: key(index), user_id: id, label: `Link ${index}`, group_names: 'team-1 team-3', domain: '' },
      ...{ uses: 9, used: 0, created_at: at(index), expires_at: later },
    }),
  ],
  janua_mails: [
    1000,
    (index, { id, username }) => ({
      id: timed(index),
      ...{ purpose: 'reset-password', user_id: id, address: username, language: 'en', request_id: null },
      ...{ details: '{}', created_at: at(index), due_at: null, expires_at: later, attempts: 1, stranger: 0 },
    }),
  ],
  janua_notices: 'none',
  janua_passkeys: [
    30,
    (index, { id }) => ({
      id: key(index),
      ...{ user_id: id, credential_id: key(index), public_key: key(index), user_handle: key(1), counter: 0 },
      ...{ syncable: 0, synced: 0, transports: 'usb', aaguid: '', name: `Key ${index}`, created_at: at(index) },
      last_used_at: null,
    }),
  ],
  janua_passkey_offers: 'none',
  janua_totp: 'none',
  janua_recovery_codes: 'none',
  janua_trusted_browsers: [
    30,
    (index, { id, stamp }) => ({
      id: key(index),
      ...{ user_id: id, stamp, user_agent: 'A browser', trusted_at: at(index), expires_at: later },
    }),
  ],
  janua_pending_logins: 'none',
  janua_groups: [499, (index) => ({ name: `team-${index}`, description: `Team ${index}`, scopes: 'users:read' })],
  janua_search: 'none',
  janua_logins: 'none',
  janua_counts: 'none',
  janua_memberships: 'none',
  janua_access_tokens: [
    100,
    (index, { id }) => ({
      id: key(index),
      ...{ user_id: id, hash: key(index), name: `Token ${index}`, scope: 'users:read' },
      ...{ created_at: at(index), expires_at: later },
    }),
  ],
  janua_clients: [
    1000,
    (index) => ({
      id: key(index),
      ...{ name: `App ${index % 7}`, secrets: secretsOf(index), settings: JSON.stringify(settingsOf(index)) },
      created_at: at(index),
    }),
  ],
  janua_resources: [
    200,
    (index) => ({
      uri: `https://api-${index}.example.com`,
      ...{ scopes: 'files:read', token_format: 'opaque', alg: 'RS256', created_at: at(index) },
    }),
  ],
  janua_consents: [
    300,
    (index, { id }) => ({
      id: key(index),
      ...{ user_id: id, client_id: `https://app-${index}.example.org/client`, version: '' },
      ...{ scope: 'openid email', given_at: at(index) },
    }),
  ],
  janua_subjects: 'none',
  janua_oidc_records: [
    1000,
    (index, { id, stamp }) => ({
      id: key(index),
      ...{ model: 'Grant', payload: '{}', grant_id: null, lookup: null, user_id: id, client_id: key(index) },
      ...{ session_id: null, stamp, consumed_at: null, polled_at: null, created_at: at(index), expires_at: later },
    }),
  ],
  janua_signing_keys: 'none',
  janua_logout_notices: 'none',
  janua_identities: 'none',
  janua_migrations: 'none',
};

async function fill<Table extends keyof Tables>(database: Database, table: Table, owner: Owner): Promise<void> {
  const filling: Fill<Table> | 'none' = filled[table];
  if (filling === 'none') return;
  const [count, row] = filling;
  await insertAll(
    database,
    table,
    Array.from({ length: count }, (_, index) => row(index, owner)),
  );
}

const hasList = ({ type, properties = {}, items }: Schema & { readonly items?: unknown }): boolean =>
  type === 'array' || items !== undefined || Object.values(properties).some(hasList);

/** The number of entries of the longest list in a value. */
function longestIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inner = Math.max(0, ...Object.values(value).map(longestIn));
  return Array.isArray(value) ? Math.max(value.length, inner) : inner;
}

/** The number of entries of the longest list or table of a page. */
const longestOn = (body: string) =>
  Math.max(...body.split(/<(?:ul|tbody|h2)/).map((list) => list.split(/<(?:li|tr)[ >]/).length - 1));

let janua: TestJanua;
let operations: Operation[];
let headers: { cookie: string };
let owner: Owner;

before(async () => {
  janua = await startJanua({
    settings: {
      ...{ SIGN_UP: 'on', MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'Janua <janua@example.com>' },
      UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json',
    },
  });
  headers = await signInAs(janua, ['admins']);
  const account = await janua.account('admins@example.com');
  const { user } = account;
  await using opened = await openTestDatabase(janua.databaseUrl);
  const { database } = opened;
  const own = database.selectFrom('janua_sessions').select('password_fingerprint').where('user_id', '=', user.id);
  owner = { ...user, stamp: (await own.executeTakeFirstOrThrow()).password_fingerprint };
  for (const table of Object.keys(filled) as (keyof Tables)[]) await fill(database, table, owner);
  ({ operations } = await readDocument(janua.app));
});
after(() => janua[Symbol.asyncDispose]());

/** Exports, which few may ask for or ask for often, and a document that does not change. */
const whole = ['/openapi.json', '/account/export', '/api/account/export', '/admin/users/export', '/admin/audit/export'];

for (const url of whole.filter((path) => path.endsWith('/export')))
  test(`${url} reads few rows at a time, in turns with other long lists`, async () => {
    const gate = Promise.withResolvers<void>();
    const other = runPart(() => gate.promise);
    const all = mock.method(StatementSync.prototype, 'all');
    let isOver = false;
    const asked = janua.get(`${url}?format=csv`, headers).finally(() => {
      isOver = true;
    });
    await setTimeout(300);
    const waited = !isOver;
    gate.resolve();
    await other;
    assert.ok(waited, 'it waits for the part of another list');
    const { statusCode, body } = await asked;
    const most = Math.max(...all.mock.calls.map(({ result = [] }) => result.length));
    all.mock.restore();
    assert.equal(statusCode, 200);
    assert.ok(body.length > 30_000);
    // The lists of an account have bounds.
    if (url.startsWith('/admin/')) assert.ok(most <= 300, `${most} rows are read at once`);
  });

/** The names of all groups, as choices of a form. */
const choices = '/api/admin/users/add';

/** Pages that this user sees only after another one, or by a link. */
const otherState = ['/account/confirm-email', '/api/account/confirm-email'];

test('each table that has a bound is filled up to it, if a list shows it', () => {
  for (const table of boundedTables) {
    const filling = filled[table];
    if (filling !== 'none') assert.ok(filling[0] >= boundOf(table).most - 1, table);
  }
});

test('no page and no list shows more than a part of many rows', async (t) => {
  const gets = operations.filter(({ method, url }) => method === 'GET' && !whole.includes(url));
  const tooLong: string[] = [];
  for (const { path, url, responses } of gets) {
    const address = path
      .replace(/(\/admin\/users\/)[\da-f-]{36}/, `$1${owner.id}`)
      .replace(/(\/admin\/resources\/(?:exchange|secret))/, '$1?uri=https%3A%2F%2Fapi-1.example.com')
      .replace(/(\/remove-secret)$/, '$1?name=Secret%200')
      .replace(/(\/admin\/clients\/)(?!add)[\w-]{22}/, `$1${key(1)}`);
    const isList = hasList(responses[200]?.content?.['application/json']?.schema ?? {});
    const accept = url.startsWith('/api/') ? 'application/json' : 'text/html';
    const { body, statusCode, headers: sent } = await janua.get(address, { ...headers, accept });
    if (isList && /\/(account|admin)/.test(url) && !otherState.includes(url)) assert.equal(statusCode, 200, url);
    const isJson = String(sent['content-type']).startsWith('application/json');
    const entries = isJson ? longestIn(JSON.parse(body)) : longestOn(body);
    t.diagnostic(`${url}: ${statusCode}, ${body.length} bytes, ${entries} entries`);
    const most = url === choices ? boundOf('janua_groups').most : mostEntries;
    if (body.length > largest || entries > most) tooLong.push(`${url}: ${body.length} bytes, ${entries} entries`);
  }
  assert.deepEqual(tooLong, []);
});

/** Reads a list to its end, and calls `betweenPages` with the last entry of the first page. */
async function readAll(url: string, name: string, betweenPages: (last: never) => Promise<unknown>) {
  const entries: Record<string, unknown>[] = [];
  let cursor: string | null = '';
  do {
    const part: string = `${url}?limit=40&cursor=${cursor}`;
    const page = (await janua.get(part, headers)).json();
    assert.ok(page[name].length <= 40 && entries.length < 2000);
    entries.push(...page[name]);
    if (cursor === '') await betweenPages(page[name].at(-1) as never);
    cursor = page.next_cursor ?? page.next_application ?? null;
  } while (cursor !== null);
  return entries;
}

const lists = [
  {
    ...{ url: '/api/admin/clients', name: 'clients', key: 'client_id', count: 1000 },
    remove: (database: Database, { client_id: id }: { client_id: string }) =>
      database.deleteFrom('janua_clients').where('id', '=', id).execute(),
  },
  {
    ...{ url: '/api/admin/resources', name: 'resources', key: 'uri', count: 200 },
    remove: (database: Database, { uri }: { uri: string }) =>
      database.deleteFrom('janua_resources').where('uri', '=', uri).execute(),
  },
  {
    ...{ url: '/api/admin/groups', name: 'groups', key: 'name', count: 500 },
    remove: (database: Database, { name }: { name: string }) =>
      database.deleteFrom('janua_groups').where('name', '=', name).execute(),
  },
  {
    ...{ url: '/api/account/applications', name: 'applications', key: 'client_id', count: 1300 },
    remove: async (database: Database, { client_id: id }: { client_id: string }) => {
      await database.deleteFrom('janua_consents').where('client_id', '=', id).execute();
      await database.deleteFrom('janua_oidc_records').where('client_id', '=', id).execute();
    },
  },
];

for (const { url, name, key, count, remove } of lists)
  test(`the pages of ${url} have each entry once, although the last of a page is removed`, async () => {
    await using opened = await openTestDatabase(janua.databaseUrl);
    const entries = await readAll(url, name, (last) => remove(opened.database, last));
    assert.equal(entries.length, count);
    assert.equal(new Set(entries.map((entry) => entry[key])).size, count);
  });

test('the pages of the applications of a user have each of them once', async () => {
  const entries = await readAll(`/api/admin/users/${owner.id}`, 'applications', async () => {});
  assert.equal(new Set(entries.map(({ client_id: id }) => id)).size, entries.length);
  assert.ok(entries.length >= 1299);
});

for (const path of ['/auth/home', '/account/applications', '/admin/clients', '/admin/groups', '/admin/resources'])
  test(`${path} leads to its next page, and back to the first`, async () => {
    const open = (url: string) => janua.get(url, { ...headers, accept: 'text/html' });
    const [, more = ''] = /<a href="([^"]*cursor=[^"]*)"/.exec((await open(path)).body) ?? [];
    const next = await open(more.replaceAll('&amp;', '&'));
    assert.equal(next.statusCode, 200);
    assert.match(next.body, /Back to the first page/);
    const [, further] = /<a href="([^"]*cursor=[^"]*)"/.exec(next.body) ?? [];
    assert.ok(further !== undefined && further !== more);
    for (const cursor of ['unreadable', 'W10', Buffer.from('["a\\u0000","b"]').toString('base64url')])
      assert.equal((await open(`${path}?cursor=${cursor}`)).statusCode, 400);
  });
