import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createSubjects } from '../../../../src/capabilities/oidc/subjects.ts';
import { compose } from '../../../../src/compose.ts';
import { type Account, passwordFingerprint, stampOf } from '../../../../src/core/users/account.ts';
import { provedBy } from '../../../../src/core/users/held.ts';
import type { Settings } from '../../../../src/ground/config/settings.ts';
import type { Database } from '../../../../src/ground/database/database.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { createMigrator, migrate } from '../../../../src/ground/database/migrations.ts';
import type { Tables } from '../../../../src/ground/database/schema.ts';
import { createAuthenticator } from '../../../capabilities/second-factor/authenticator.ts';
import { codeOf } from '../../../capabilities/second-factor/authenticator-app.ts';
import { hashingThreads } from '../../../cheap-hashes/threads.ts';
import { openTestDatabase } from '../../../ground/database/open.ts';
import { insertSample, keyOf } from '../../../ground/database/sample-rows.ts';
import { ann, password, startJanua, type TestJanua } from '../../../janua.ts';
import { missing } from '../../../servers/missing.ts';
import { createTemporaryFolder } from '../../../servers/process-end.ts';
import { openStores, type UserEngine } from '../../../stores.ts';
import { isSignedIn, json } from '../../../web/faces.ts';

const engines = ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[];
const eve = 'eve@example.com';

/** The last step of the version before, and the first one after it. */
const [lastBefore, step] = ['2026-11-30-wider-indexes', '2026-12-01-names-of-ids'];

/** The tables in which the version before tells users of an id apart by a name, and what it calls the column. */
const named = {
  ...{ janua_passkeys: 'username', janua_totp: 'username', janua_recovery_codes: 'username' },
  ...{ janua_trusted_browsers: 'username', janua_memberships: 'username', janua_identities: 'username' },
  ...{ janua_access_tokens: 'owner', janua_consents: 'owner', janua_subjects: 'owner' },
} as const satisfies Partial<Record<keyof Tables, string>>;
const tables = Object.keys(named) as (keyof typeof named)[];

const add = (database: Database, table: keyof Tables, user_id: string, name: string, key = `${name} ${user_id}`) =>
  insertSample(database, table, { user_id, username: name, owner: name, subject: key, [keyOf(table)]: key });

for (const engine of engines)
  describe(`the tables of the version before, in ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const own = await openStores({ users: engine, sessions: 'SQL', ownTable: true }, false);
      const url = own.settings.DATABASE_URL;
      const opened = await openTestDatabase(url);
      assert.equal((await createMigrator(opened).migrateTo(lastBefore)).error, undefined);
      return {
        ...{ url, opened, database: opened.database },
        async people() {
          const found = await opened.database.selectFrom('janua_people').selectAll().orderBy('user_id').execute();
          return Object.fromEntries(found.map((row) => [row.user_id, [row.username, Number(row.since), row.stamp]]));
        },
        async [Symbol.asyncDispose]() {
          await opened.database.destroy();
          await own.drop();
        },
      };
    }

    test('tell under which name each id was met, and keep what may be its user’s', async () => {
      await using before = await open();
      const { opened, database, people } = before;
      for (const table of tables) {
        // Of each table alone, so that none is forgotten.
        await add(database, table, `only ${table}`, ann.username, `o ${table}`);
        await add(database, table, 'one', ann.username);
        await add(database, table, 'two', ann.username);
        await add(database, table, 'two', eve);
        await add(database, table, 'known', ann.username);
        await add(database, table, 'known', eve);
        await add(database, table, 'own', table === 'janua_memberships' ? ann.username : '');
      }
      await add(database, 'janua_subjects', 'apart', ann.username);
      await add(database, 'janua_logins', 'apart', eve, 'apart');
      await add(database, 'janua_logins', 'login', ann.username, 'login');
      await add(database, 'janua_logins', 'own', '', 'own');
      await add(database, 'janua_sessions', 'session', '');
      await insertSample(database, 'janua_users', { id: 'own', username: ann.username });
      const known = { user_id: 'known', username: ann.username, since: 5, stamp: 'stamp', changes: 1 };
      await database.insertInto('janua_people').values(known).execute();
      const expected = {
        ...Object.fromEntries(tables.map((table) => [`only ${table}`, [ann.username, 0, null]])),
        ...{ one: [ann.username, 0, null], two: ['', 0, null], apart: ['', 0, null], login: [ann.username, 0, null] },
        known: [ann.username, 5, 'stamp'],
      };
      await migrate(opened);
      for (const round of ['first', 'interrupted']) {
        assert.deepEqual(await people(), expected, round);
        for (const table of tables) {
          const { rows: left } = await sql<{ user_id: string; name: string }>`
            select user_id, ${sql.ref(named[table])} as name from ${sql.table(table)} order by user_id, name`.execute(
            database,
          );
          assert.deepEqual(
            left.map(({ user_id, name }) => `${user_id} ${name}`),
            [
              ...(table === 'janua_subjects' ? [`apart ${ann.username}`] : []),
              ...[`known ${ann.username}`, `one ${ann.username}`, `only ${table} ${ann.username}`],
              ...[`own ${table === 'janua_memberships' ? ann.username : ''}`, `two ${ann.username}`, `two ${eve}`],
            ].toSorted(),
            table,
          );
        }
        await database.deleteFrom('janua_migrations').where('name', '>=', step).execute();
        await migrate(opened);
      }
    });

    test('are filled where a process of that version notes a user at the same time', async () => {
      await using before = await open();
      const { opened, database, people, url } = before;
      await using beside = await openTestDatabase(url);
      for (let id = 0; id < 200; id += 1) await add(database, 'janua_consents', String(id), ann.username);
      const note = async () => {
        for (let id = 0; id < 200; id += 10)
          await beside.database
            .insertInto('janua_people')
            .values({ user_id: String(id), username: ann.username, since: 0, stamp: null, changes: 0 })
            .execute()
            // The migration was first.
            .catch(() => {});
      };
      await Promise.all([migrate(opened), note()]);
      assert.equal(Object.keys(await people()).length, 200);
    });
  });

/** A server, and then another one of the same settings. */
async function openServers(engine: UserEngine, ownTable: boolean) {
  await using stack = new AsyncDisposableStack();
  let settings: Settings | undefined;
  const stores = { users: engine, sessions: 'SQL', ownTable } as const;
  const folder = createTemporaryFolder('upgrade');
  stack.defer(() => folder.remove());
  const isInMemory = engine === 'SQLite' && !ownTable;
  const former = stack.use(
    await startJanua({
      stores,
      settings: {
        SCOPES: ['reports:read'],
        ...(isInMemory && { DATABASE_URL: `sqlite:${join(folder.path, 'janua.db')}` }),
      },
      compose: (given, overrides) => {
        settings = given;
        return compose(given, overrides);
      },
    }),
  );
  const opened = stack.use(await openTestDatabase(former.databaseUrl));
  const { database } = opened;
  const closing = stack.move();
  return {
    ...{ former, opened, database },
    /** The tables as the version before left them. The former server goes on. */
    async leave() {
      await database.deleteFrom('janua_migrations').where('name', '>=', step).execute();
    },
    async upgrade() {
      assert.ok(settings);
      const composition = await compose(settings, {
        failureFloor: 0,
        migrates: true,
        demoMailbox: true,
        hashingThreads,
      });
      const services = await composition.prepare();
      const app = await composition.createServer();
      await app.ready();
      closing.defer(async () => {
        await app.close();
        await composition.close();
      });
      return { app, services };
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

const logIn = ({ app }: Pick<TestJanua, 'app'>, username: string = ann.username) =>
  app.inject({ method: 'POST', url: '/api/login', ...json({ username, password }) });

const accountIn = async ({ services }: Pick<TestJanua, 'services'>): Promise<Account> =>
  (await services.users.findByUsername(ann.username)) ?? assert.fail();

for (const engine of engines)
  for (const ownTable of [false, true]) {
    const where = ownTable ? "a team's own table" : 'the own table';
    describe(`an upgrade with users in ${where} in ${engine}`, { skip: missing(engine) }, () => {
      test('leaves each user all that there was, while a process of the version before runs on', async () => {
        await using servers = await openServers(engine, ownTable);
        const { former, database, leave } = servers;
        const { services } = former;
        await services.administration.addGroup({ name: 'staff', description: '', scopes: ['reports:read'] });
        await services.administration.changeGroups(ann.username, { add: ['staff'] });
        const { secret } = await services.factors.totp.begin((await accountIn(former)).user, ann.username);
        const device = createAuthenticator();
        const binding = { purpose: 'enrol:1', cookie: 'a' };
        const { passkeys, totp, recoveryCodes } = services.factors;
        const options = await passkeys.creationOptions((await accountIn(former)).user, binding);
        const made = (await passkeys.verifyNew(device.create(options), binding)) ?? assert.fail();
        const [code = ''] = await services.hold(provedBy(await accountIn(former)), async (held) => {
          assert.ok(await totp.enable(held, codeOf(secret, Date.now())));
          assert.ok(await passkeys.add(held, made));
          return recoveryCodes.replace(held);
        });
        const { user } = await accountIn(former);
        const { id } = user;
        const held = { name: 'report', scopes: ['reports:read'], days: 1 };
        const token = await services.hold(provedBy(await accountIn(former)), async (one) => {
          await services.consents.give(one, 'wiki', { scope: ['openid'], version: 'v' });
          return services.personalTokens.create(one, held);
        });
        const owner = ownTable ? ann.username : '';
        const subject = createHash('sha256')
          .update(JSON.stringify([id, owner]))
          .digest('base64url');
        await database
          .insertInto('janua_subjects')
          .values({ id: subject, subject: 'known', user_id: id, owner })
          .execute();
        await add(database, 'janua_identities', id, owner, 'identity');
        const trusted = { id: 'browser', user_id: id, username: owner, user_agent: 'x', trusted_at: 1 };
        const stamp = stampOf(await accountIn(former));
        await database
          .insertInto('janua_trusted_browsers')
          .values({ ...trusted, stamp, expires_at: Date.now() + 1e9 })
          .execute();
        const session = await services.sessions.start({ userId: id, stamp }, { methods: ['pwd', 'otp', 'mfa'] });
        const bearer = { authorization: `Bearer ${session.accessToken}` };
        for (const [table, column] of Object.entries(named)) {
          const { rows: written } = await sql<{
            name: string;
          }>`select distinct ${sql.ref(column)} as name from ${sql.table(table)}`.execute(database);
          const name = table === 'janua_memberships' ? ann.username : owner;
          assert.deepEqual(
            written.map((row) => row.name),
            [name],
            `${table} is as the version before reads it`,
          );
        }
        await leave();

        const latter = await servers.upgrade();
        for (const { app } of [latter, former]) {
          assert.equal(await isSignedIn(app, bearer), true);
          assert.equal(await isSignedIn(app, { authorization: `Bearer ${token.token}` }), true);
        }
        const account = await accountIn(latter);
        assert.deepEqual([account.user.groups, account.scopes], [['staff'], ['reports:read']]);
        assert.equal(stampOf(account), stamp);
        const { factors, manageFactors, consents, personalTokens } = latter.services;
        const all = await manageFactors.list(account.user, stamp);
        assert.deepEqual(
          [all.passkeys.length, all.totp === undefined, all.recoveryCodesLeft, all.trustedBrowsers.length],
          [1, false, 10, 1],
        );
        const asked = await logIn(latter);
        assert.deepEqual([asked.statusCode, asked.json().error], [403, 'mfa_required']);
        assert.equal(await factors.totp.check(account.user, codeOf(secret, Date.now() + 30_000)), true);
        assert.equal(await factors.recoveryCodes.use(account.user, code), true);
        const signIn = { purpose: 'sign-in', cookie: 'a' };
        const sent = device.get(await factors.passkeys.requestOptions(signIn, account.user));
        assert.equal(typeof (await factors.passkeys.prove(sent, signIn, account.user)), 'object');
        assert.deepEqual(
          (await personalTokens.list(account.user)).map(({ name }) => name),
          ['report'],
        );
        assert.deepEqual(await consents.find(account.user, 'wiki'), { scope: ['openid'], version: 'v' });
        assert.deepEqual((await latter.services.linking.list(account.user)).length, 1);
        assert.equal(await createSubjects(servers.opened).subjectOf(account.user), 'known');
      });
    });
  }

for (const engine of engines)
  test(`a process of the version before still serves users of a team's own table in ${engine}`, {
    skip: missing(engine),
  }, async () => {
    await using servers = await openServers(engine, true);
    const { former, database, leave } = servers;
    const [firstLogin, { user, passwordHash }] = [await logIn(former), await accountIn(former)];
    assert.equal(firstLogin.statusCode, 200);
    // So old that it notes nobody, and knows sessions alone.
    await database.deleteFrom('janua_people').execute();
    await leave();
    const latter = await servers.upgrade();
    const bearer = { authorization: `Bearer ${firstLogin.json().access_token}` };
    const stamp = passwordFingerprint({ user, passwordHash });
    const [session] = await former.services.sessions.listOf(user.id, stamp);
    assert.ok(session, 'the session carries what the old version computes');
    // A newer one, without the row: it lets an application have something, and makes a subject.
    const owner = { user_id: user.id, owner: ann.username };
    const id = (...parts: string[]) =>
      createHash('sha256')
        .update(JSON.stringify([user.id, ...parts]))
        .digest('base64url');
    const consent = { ...owner, client_id: 'wiki', scope: 'openid', version: 'v', given_at: 1 };
    await database
      .insertInto('janua_consents')
      .values({ ...consent, id: id(ann.username, 'wiki') })
      .execute();
    await database
      .insertInto('janua_subjects')
      .values({ ...owner, id: id(ann.username), subject: 'known' })
      .execute();
    const grant = { id: 'grant', model: 'Grant', payload: '{}', user_id: user.id, created_at: 1, expires_at: 1 };
    await database.insertInto('janua_oidc_records').values(grant).execute();

    assert.equal(await isSignedIn(latter.app, bearer), true);
    assert.equal(await isSignedIn(former.app, bearer), true);
    const row = await database.selectFrom('janua_people').selectAll().executeTakeFirstOrThrow();
    assert.deepEqual([row.user_id, row.username, Number(row.since), row.stamp], [user.id, ann.username, 0, null]);
    // SQLite reads for all requests of a turn of the event loop at once.
    await setImmediate();
    const met = (await accountIn(latter)).user;
    assert.equal((await latter.services.consents.find(met, 'wiki'))?.version, 'v');
    assert.equal(await createSubjects(servers.opened).subjectOf(met), 'known');
    assert.equal((await database.selectFrom('janua_oidc_records').select('id').execute()).length, 1);

    // The team gives the id to another person, whom the former process meets first.
    await sql`update people set email = ${eve} where email = ${ann.username}`.execute(database);
    await setImmediate();
    const login = await logIn(former, eve);
    assert.equal(login.statusCode, 200);
    assert.equal(await isSignedIn(latter.app, { authorization: `Bearer ${login.json().access_token}` }), true);
    assert.equal(await isSignedIn(latter.app, bearer), false);
    assert.deepEqual(
      await latter.services.consents.list((await latter.services.users.findById(user.id))?.user ?? met),
      [],
    );
  });
