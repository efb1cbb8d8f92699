import assert from 'node:assert/strict';
import { test } from 'node:test';
import Fastify from 'fastify';
import { compose, type Services } from '../src/compose.ts';
import { loadSettings } from '../src/ground/config/load.ts';
import { keyNames, loadKey } from '../src/ground/database/keys.ts';
import { sql } from '../src/ground/database/kysely.ts';
import { migrate } from '../src/ground/database/migrations.ts';
import { Misconfiguration } from '../src/ground/faults/misconfiguration.ts';
import { createWorkplace } from './commands/janua-command.ts';
import { openTestDatabase } from './ground/database/open.ts';
import { ann, attempt, caller, password, startJanua } from './janua.ts';
import { createTeamProgram } from './people.ts';
import { missing } from './servers/missing.ts';
import { createDatabase, sharedServers } from './servers/shared.ts';

for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  for (const rehash of ['on', 'off'] as const) {
    test(`a login ${rehash === 'on' ? 'replaces' : 'keeps'} a weak hash in a team's own table in ${users}, with PASSWORD_REHASH=${rehash}`, {
      skip: missing(users),
    }, async () => {
      const stores = { users, sessions: 'SQL', ownTable: true } as const;
      await using janua = await startJanua({ stores, settings: { PASSWORD_REHASH: rehash } });
      const { access, logIn, users: directory } = janua.services;
      const stored = async () => (await directory.findCandidate(ann.username))?.passwordHash ?? '';
      const before = await stored();
      assert.match(before, /^\$2b\$04\$/);
      const { session } = await logIn(attempt(ann.username, password), caller);
      if (rehash === 'on') assert.match(await stored(), /^\$argon2id\$/);
      else assert.equal(await stored(), before);
      assert.ok(await access.findSignedIn({ cookie: session.cookie }));
      assert.ok(await logIn(attempt(ann.username, password), caller));
    });
  }
}

test("commands do not change users in a team's own table", async () => {
  await using janua = await startJanua({ stores: { users: 'SQLite', sessions: 'SQL', ownTable: true } });
  const { administration } = janua.services;
  for (const change of ['setPassword', 'disable', 'enable', 'remove'] as const)
    await assert.rejects(
      administration[change](ann.username, password),
      /a table of your own, so Janua does not change its users/,
    );
  await assert.rejects(administration.add({ ...ann, password }), /a table of your own/);
  assert.deepEqual(await Array.fromAsync(administration.list()), [], 'Janua has not seen her');
});

test('cleaning removes events that are older than AUDIT_RETENTION_DAYS', async () => {
  let now = Date.UTC(2026, 0, 1);
  const day = 24 * 60 * 60 * 1000;
  await using janua = await startJanua({ settings: { AUDIT_RETENTION_DAYS: 90 }, overrides: { now: () => now } });
  const { audit, auditTrail, clean } = janua.services;
  const countAfter = async (days: number) => {
    now = Date.UTC(2026, 0, 1) + days * day;
    await clean();
    return (await Array.fromAsync(auditTrail.find({ order: 'oldest-first' }))).length;
  };
  assert.equal(await countAfter(89), 1, 'the event of the added user');
  await audit.record({ kind: 'logged-out', caller });
  assert.equal(await countAfter(91), 1);
  assert.equal(await countAfter(180), 0);
});

for (const [name, settings, line] of [
  ['a table without its columns', { USERS_TABLE: 'people' }, /USERS_TABLE and USERS_COLUMNS go together/],
  ['a URL of no known database', { DATABASE_URL: 'oracle://x/y' }, /^DATABASE_URL must be/],
  ['a URL without its slashes', { DATABASE_URL: 'postgres:x' }, /^DATABASE_URL must be/],
  [
    'a URL without a database name',
    { DATABASE_URL: 'mysql://root@localhost' },
    /^DATABASE_URL must be sqlite: and a path/,
  ],
  [
    'an option that MySQL does not have',
    { DATABASE_URL: 'mysql://a:canary@b/c?tls=1' },
    /^DATABASE_URL must be mysql:\/\//,
  ],
  ['an account that cannot be decoded', { DATABASE_URL: 'postgres://a:canary%zz@b/c' }, /^DATABASE_URL must be/],
  [
    'TLS to an IP address',
    { DATABASE_URL: 'mysql://a:canary@127.0.0.1/c?ssl=on' },
    /^DATABASE_URL: with \?ssl=on the host must be a name/,
  ],
  ['a URL of no Redis', { REDIS_URL: 'http://:canary@x' }, /^REDIS_URL must be/],
] as const) {
  test(`${name} is refused at once`, async () => {
    const all = { ...loadSettings({}, {}), DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent', ...settings } as const;
    await assert.rejects(compose(all), (error) => {
      assert.ok(error instanceof Misconfiguration);
      assert.match(error.message, line);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
  });
}

/** The URL with some of its parts changed. */
const changed = (url: string, parts: Partial<URL>) => Object.assign(new URL(url), parts).href;

for (const [server, name, settings, line] of [
  [
    'PostgreSQL',
    'an unknown account of PostgreSQL',
    async () => ({ DATABASE_URL: changed(await sharedServers.postgres(), { username: 'nobody', password: 'canary' }) }),
    /^DATABASE_URL: The database refuses it \(.*role "nobody" does not exist\)\. [A-Z].* DATABASE_URL[^\n]*\.\n$/,
  ],
  [
    'PostgreSQL',
    'a database that PostgreSQL does not have',
    async () => ({ DATABASE_URL: changed(await sharedServers.postgres(), { pathname: '/nowhere' }) }),
    /^DATABASE_URL: The database refuses it \(.*does not exist\)\. [A-Z].* DATABASE_URL[^\n]*\.\n$/,
  ],
  [
    'MariaDB',
    'a wrong password for MariaDB',
    async () => ({ DATABASE_URL: changed(await sharedServers.mariadb(), { password: 'canary' }) }),
    /^DATABASE_URL: The database refuses it \(Access denied.*\)\. [A-Z].* DATABASE_URL[^\n]*\.\n$/,
  ],
  [
    'MariaDB',
    'a database that MariaDB does not have',
    async () => ({ DATABASE_URL: changed(await sharedServers.mariadb(), { pathname: '/nowhere' }) }),
    /^DATABASE_URL: The database refuses it \(Unknown database.*\)\. [A-Z].* DATABASE_URL[^\n]*\.\n$/,
  ],
  [
    'Redis',
    'a database number that Redis does not have',
    async () => ({ REDIS_URL: changed(await sharedServers.redis(), { pathname: '/99999' }) }),
    /^REDIS_URL: Redis refuses it \(ERR DB index is out of range\)\. Correct .* in REDIS_URL, [^\n]*\.\n$/,
  ],
] as const) {
  test(`every command reports ${name} at once in a line`, { skip: missing(server) }, async () => {
    await using workplace = await createWorkplace();
    const env = { DATABASE_URL: 'sqlite:./janua.db', PORT: '0', ...(await settings()) };
    if (env.DATABASE_URL === 'sqlite:./janua.db') await workplace.run(['migrate'], { env });
    for (const args of [['serve'], ['users', 'list']]) {
      const { code, stderr } = await workplace.run(args, { env });
      assert.equal(code, 2, stderr);
      assert.match(stderr, line);
      assert.doesNotMatch(stderr, /canary/);
    }
  });
}

for (const [part, env] of [
  ['The database', { DATABASE_URL: 'postgres://a:canary@127.0.0.1:1/b' }],
  ['The database', { DATABASE_URL: 'mariadb://a:canary@127.0.0.1:1/b' }],
  ['Redis', { DATABASE_URL: 'sqlite:./janua.db', REDIS_URL: 'redis://:canary@127.0.0.1:1' }],
] as const) {
  test(`a command names its unavailable store in a line (${part}, ${env.DATABASE_URL})`, async () => {
    await using workplace = await createWorkplace();
    if (part === 'Redis') await workplace.run(['migrate'], { env });
    const { code, stderr } = await workplace.run(['sessions', 'revoke', 'x'], {
      env: { ...env, STORE_TIMEOUT_SECONDS: '1' },
    });
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^${part} is unavailable: .*ECONNREFUSED.*\\.\\n$`));
    assert.doesNotMatch(stderr, /canary/);
  });
}

test("a database account that may only read a team's table is enough to sign users in", {
  skip: missing('PostgreSQL'),
}, async () => {
  const own = await createDatabase('postgres');
  await using team = await createTeamProgram(own.url, { users: 'PostgreSQL', sessions: 'SQL' });
  await team.people.add({ ...ann, password });
  await using admin = await openTestDatabase(own.url);
  await migrate(admin);
  for (const name of keyNames) await loadKey(admin.database, name);
  const account = `reader_${process.pid}`;
  const execute = (text: string) => sql.raw(text).execute(admin.database);
  await execute(`create role ${account} login`);
  try {
    const settings = {
      ...loadSettings({}, {}),
      LOG_LEVEL: 'silent',
      DATABASE_URL: changed(own.url, { username: account }),
      ...team.settings,
    } as const;
    const prepare = async (work: (services: Services) => Promise<void>) => {
      const composition = await compose(settings, { failureFloor: 0 });
      try {
        await work(await composition.prepare());
      } finally {
        await composition.close();
      }
    };
    const denied = /DATABASE_URL: The database refuses it \(permission denied for table janua_migrations\)\./;
    await assert.rejects(
      prepare(async () => {}),
      (error) => error instanceof Misconfiguration && denied.test(error.message),
    );
    await execute(`grant select on people, janua_keys, janua_migrations to ${account}`);
    await execute(`grant select, insert, update, delete on janua_sessions, janua_failures, janua_leases to ${account}`);
    await execute(`grant select, insert, delete on janua_audit, janua_tokens, janua_pictures to ${account}`);
    await execute(`grant select, insert on janua_handles to ${account}`);
    await execute(
      `grant select, insert, update, delete on janua_mails, janua_notices, janua_counts, janua_times to ${account}`,
    );
    const rights = 'janua_groups, janua_memberships, janua_access_tokens, janua_invite_links';
    await execute(`grant select, insert, update, delete on ${rights} to ${account}`);
    const changedFactors = 'janua_passkeys, janua_passkey_offers, janua_totp, janua_pending_logins';
    await execute(`grant select, insert, update, delete on ${changedFactors} to ${account}`);
    await execute(`grant select, insert, delete on janua_recovery_codes, janua_trusted_browsers to ${account}`);
    const applications = 'janua_clients, janua_resources, janua_consents, janua_subjects';
    const given = 'janua_oidc_records, janua_signing_keys, janua_logout_notices';
    await execute(`grant select, insert, update, delete on ${applications}, ${given} to ${account}`);
    await execute(`grant select, insert, update, delete on janua_identities to ${account}`);
    await execute(
      `grant select, insert, update, delete on janua_users, janua_search, janua_logins, janua_sources, janua_applied_files to ${account}`,
    );
    await prepare(async ({ access, logIn, users }) => {
      const before = (await users.findCandidate(ann.username))?.passwordHash;
      const { session } = await logIn(attempt(ann.username, password), caller);
      assert.ok(await access.findSignedIn({ cookie: session.cookie }));
      assert.equal((await users.findByUsername(ann.username))?.passwordHash, before);
      // With these rights, what belonged to the former user of an id is cleared.
      await execute("update people set email = 'eve@example.com'");
      assert.ok(await logIn(attempt('eve@example.com', password), caller));
    });
  } finally {
    await execute(`drop owned by ${account}`);
    await execute(`drop role ${account}`);
    await own.drop();
  }
});

for (const face of ['server', 'plugin'] as const)
  test(`the ${face} warns once about TRUSTED_PROXIES=unix without a Unix socket`, async (t) => {
    for (const [proxies, count] of [
      [['127.0.0.1', 'unix'], 1],
      [['127.0.0.1'], 0],
    ] as const) {
      const settings = { DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent', TRUSTED_PROXIES: proxies } as const;
      const composition = await compose({ ...loadSettings({}, {}), ...settings }, { migrates: true });
      const warn = t.mock.method(composition.log, 'warn', () => {});
      await composition.prepare();
      const app = face === 'server' ? await composition.createServer() : Fastify();
      if (face === 'plugin') await app.register(await composition.createPlugin(async () => {}));
      await app.listen({ host: '127.0.0.1', port: 0 });
      await app.close();
      await composition.close();
      assert.equal(warn.mock.callCount(), count);
      if (count > 0) assert.match(String(warn.mock.calls[0]?.arguments[1]), /name the addresses that your proxies/);
    }
  });

test('a server logs that its encryption key cannot be used, but a command does not', async (t) => {
  const settings = { DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent', ENCRYPTION_KEY_FILE: '/dev/null' } as const;
  for (const [overrides, further, count] of [
    [{}, {}, 1],
    [{}, { SECOND_FACTOR: 'off' }, 0],
    [{ takesLogins: false }, {}, 0],
  ] as const) {
    const given = { ...loadSettings({}, {}), ...settings, ...further };
    const composition = await compose(given, { migrates: true, ...overrides });
    const lines: [fields: { event?: string }, text: string][] = [];
    t.mock.method(composition.log, 'info', (...line: (typeof lines)[0]) => lines.push(line));
    await composition.prepare();
    await composition.close();
    const texts = lines.filter(([{ event }]) => event === 'encryption_unavailable').map(([, text]) => text);
    assert.equal(texts.length, count);
    for (const text of texts) assert.match(text, /^The file with the encryption key is .* no file/);
  }
});
