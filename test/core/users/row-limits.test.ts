import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createClients, defaultSettings } from '../../../src/capabilities/oidc/clients/clients.ts';
import { createResources } from '../../../src/capabilities/oidc/resources/resources.ts';
import { createConsents } from '../../../src/capabilities/oidc/sign-in/consents.ts';
import { createPasskeys } from '../../../src/capabilities/second-factor/passkeys.ts';
import { createPendingLogins } from '../../../src/capabilities/second-factor/pending-logins.ts';
import { createTrustedBrowsers } from '../../../src/capabilities/second-factor/trusted-browsers.ts';
import { createIdentities } from '../../../src/capabilities/upstream/identities.ts';
import { createPersonalTokens } from '../../../src/core/access/personal-tokens.ts';
import { withLastingEnds } from '../../../src/core/sessions/lasting-ends.ts';
import type { SessionStore } from '../../../src/core/sessions/store.ts';
import { createUnthrottled } from '../../../src/core/throttle/throttle.ts';
import { createTokens } from '../../../src/core/tokens/tokens.ts';
import type { Account } from '../../../src/core/users/account.ts';
import { ChangeRefused } from '../../../src/core/users/change-refused.ts';
import { createGroups } from '../../../src/core/users/groups.ts';
import { createHold, type Held, type Hold, provedBy } from '../../../src/core/users/held.ts';
import { createImportUsers } from '../../../src/core/users/import-users.ts';
import { createImports } from '../../../src/core/users/imports.ts';
import { createInviteLinks } from '../../../src/core/users/invite-links.ts';
import { createMayGive } from '../../../src/core/users/may-give.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { type BoundedTable, boundedTables, boundOf } from '../../../src/ground/database/tables.ts';
import { openMigrated, type TestDatabase } from '../../ground/database/open.ts';
import { insertSample } from '../../ground/database/sample-rows.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';
import { openOwnAccounts } from './directories.ts';

const time = 1_000_000;
const now = () => time;
const ann = { username: 'ann@example.com', firstName: 'Ann', lastName: 'Archer', passwordHash: 'hash', demo: false };

const madePasskey = { public_key: '', counter: 0, transports: '', aaguid: '', syncable: true, synced: true };

/** Adds a row to each bounded table, as a capability does. */
type Doors = Readonly<Record<BoundedTable, (number: number) => Promise<unknown>>>;

async function open(engine: UserEngine) {
  const opened = await openMigrated(engine);
  const { database } = opened;
  const users = openOwnAccounts(opened, { demoUsers: false });
  const userId = await users.add(ann);
  const otherId = await users.add({ ...ann, username: 'bob@example.com' });
  const account = await users.findById(userId ?? '');
  assert.ok(account && otherId);
  const { hold } = createHold(database, users, users);
  return { ...opened, account, otherId, doors: createDoors(opened, users, account, hold) };
}

function createDoors(
  opened: TestDatabase,
  users: ReturnType<typeof openOwnAccounts>,
  account: Account,
  hold: Hold,
): Doors {
  const { database } = opened;
  const { user } = account;
  const held = (work: (held: Held) => Promise<unknown>) => hold(provedBy(account), work);
  const tokens = createTokens(database, now);
  const personalTokens = createPersonalTokens(opened, { now, accounts: users.accounts });
  const passkeys = createPasskeys({
    database,
    tokens,
    throttle: createUnthrottled(() => assert.fail()),
    key: Buffer.alloc(32),
    domain: 'localhost',
    origins: new Set(),
    appName: 'Test',
    now,
  });
  const passkey = (number: number) => ({ ...madePasskey, credential_id: `credential-${number}` });
  const identities = createIdentities(database, now);
  const identity = (number: number) => ({
    upstream: 'google',
    issuer: 'https://issuer.example',
    subject: `s${number}`,
    name: '',
  });
  const groups = createGroups(database, {
    applicationScopes: [],
    inColumn: false,
    requireOther: async () => {},
  });
  const consents = createConsents(database, now);
  const pending = { userId: user.id, stamp: 'stamp', methods: ['pwd'] as const, remembered: false, scope: undefined };
  // The rows that `fill` adds have no purpose either.
  const link = { purpose: '', userId: user.id, address: user.username, expiresAt: time * 2 };
  const inRedis = { remove: async () => 0 } as unknown as SessionStore;
  const { remove } = withLastingEnds(inRedis, opened, 60_000, now);
  const imports = createImports(database, users, now, () => true);
  const addUsers = createImportUsers(database, users, groups, imports, { recordIn: async () => {} });
  const importOne = (number: number) =>
    addUsers([{ ...ann, username: `new-${number}@example.com`, groups: [] }], {
      ...{ import: imports.begin('', false), actor: { caller: { route: 'test' } }, isRehearsal: false },
    });
  const findAccount = async () => account;
  const inviteLinks = createInviteLinks({ database, groups, mayGive: createMayGive(findAccount), now });
  const joinable = { label: 'A link', groups: [], uses: 1, days: 1, domain: '' };
  const addLink = () =>
    inviteLinks.add(
      joinable,
      user.id,
      () => {},
      async () => {},
    );
  return {
    janua_imports: importOne,
    janua_invite_links: addLink,
    janua_ended_sessions: (number) => remove([`${number}`.padStart(22, 'x')], user.id),
    janua_tokens: () => tokens.issue(link),
    janua_passkeys: (number) => held((by) => passkeys.add(by, passkey(number), 'A passkey')),
    janua_trusted_browsers: async () => {
      const { trust, makeRoom } = createTrustedBrowsers(database, 30, now);
      await trust(user, 'stamp');
      await makeRoom(user);
    },
    janua_pending_logins: () => createPendingLogins(database, now).start(pending),
    janua_groups: (number) => groups.add({ name: `group-${number}`, description: '', scopes: [] }),
    janua_access_tokens: () => held((by) => personalTokens.create(by, { name: 'A token', scopes: [], days: 1 })),
    janua_clients: () => createClients(opened, now).add({ ...defaultSettings, isPublic: true }),
    janua_resources: (number) =>
      createResources(database, now).add({
        uri: `https://api.example/${number}`,
        scopes: [],
        tokenFormat: 'opaque',
        alg: 'ES256',
      }),
    janua_consents: (number) => held((by) => consents.give(by, `client-${number}`, { scope: [], version: '' })),
    janua_identities: (number) => held((by) => identities.add(identity(number), by)),
  };
}

/** Fills a table of the account, the oldest row first. */
async function fill(opened: TestDatabase, table: BoundedTable, userId: string, count: number): Promise<void> {
  const { oldestBy = 'created_at', key } = boundOf(table);
  for (let index = 0; index < count; index += 1) {
    const values = {
      expires_at: time + 1 + index,
      [oldestBy]: oldestBy === 'expires_at' ? time + 1 + index : 1 + index,
    };
    await insertSample(opened.database, table, { user_id: userId, ...values, [key]: `${userId.slice(0, 8)}-${index}` });
  }
}

async function keysIn({ database }: TestDatabase, table: BoundedTable, userId: string): Promise<Set<string>> {
  const { key, of } = boundOf(table);
  const own = of === 'account' ? sql`user_id = ${userId}` : sql`1 = 1`;
  const found = sql<{ id: string }>`select ${sql.ref(key)} as id from ${sql.table(table)} where ${own}`;
  return new Set((await found.execute(database)).rows.map(({ id }) => id));
}

const atOnce = 10;

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[])
  describe(`bounded tables in ${engine}`, { skip: missing(engine) }, () => {
    for (const table of boundedTables) {
      const { most, oldestBy, of } = boundOf(table);
      test(`${table} holds ${most} rows of a party, however many requests come at once`, async () => {
        await using opened = await open(engine);
        const { doors, account, otherId } = opened;
        const { id } = account.user;
        if (of === 'account') await fill(opened, table, otherId, 3);
        await fill(opened, table, id, most - 1 - (await keysIn(opened, table, id)).size);
        const before = await keysIn(opened, table, id);
        assert.equal(before.size, most - 1);

        const results = await Promise.allSettled(Array.from({ length: atOnce }, (_, number) => doors[table](number)));
        const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
        for (const reason of refused) {
          assert.ok(reason instanceof ChangeRefused, String(reason));
          assert.equal(reason.code, 'too-many-kept');
          assert.ok(reason.message.includes(String(most)), reason.message);
        }
        assert.equal(refused.length, oldestBy === undefined ? atOnce - 1 : 0);

        const after = await keysIn(opened, table, id);
        assert.equal(after.size, most);
        const gone = [...before].filter((key) => !after.has(key));
        const oldest = Array.from(
          { length: oldestBy === undefined ? 0 : atOnce - 1 },
          (_, index) => `${id.slice(0, 8)}-${index}`,
        );
        assert.deepEqual(new Set(gone), new Set(oldest));
        if (of === 'account') assert.equal((await keysIn(opened, table, otherId)).size, 3);
      });
    }

    test('personal access tokens that have expired take no room', async () => {
      await using opened = await open(engine);
      const { database, doors, account } = opened;
      await fill(opened, 'janua_access_tokens', account.user.id, boundOf('janua_access_tokens').most);
      await assert.rejects(doors.janua_access_tokens(0), ChangeRefused);
      await database.updateTable('janua_access_tokens').set({ expires_at: time }).execute();
      await doors.janua_access_tokens(0);
    });
  });
