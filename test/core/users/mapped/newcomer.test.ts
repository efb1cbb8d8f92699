import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createAdmit, type Proof } from '../../../../src/core/access/admit.ts';
import { type Account, stampOf } from '../../../../src/core/users/account.ts';
import { provedBy } from '../../../../src/core/users/held.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { rows, type Tables } from '../../../../src/ground/database/schema.ts';
import { codeOf } from '../../../capabilities/second-factor/authenticator-app.ts';
import { openTestDatabase } from '../../../ground/database/open.ts';
import { insertSample, keyOf } from '../../../ground/database/sample-rows.ts';
import { ann, caller, password, startJanua } from '../../../janua.ts';
import { missing } from '../../../servers/missing.ts';
import type { StoreChoice } from '../../../stores.ts';
import { isSignedIn, json } from '../../../web/faces.ts';

const eve = 'eve@example.com';

/** Tables with rows of a user, as processes of the version before fill them too. */
const filled = [
  ...['janua_identities', 'janua_consents', 'janua_subjects', 'janua_oidc_records', 'janua_passkeys'],
] as (keyof Tables)[];

async function open(stores: StoreChoice) {
  const janua = await startJanua({ stores, settings: { SCOPES: ['reports:read'] } });
  const { app, services } = janua;
  const direct = await openTestDatabase(janua.databaseUrl);
  const { database } = direct;
  const logIn = (username: string) =>
    app.inject({ method: 'POST', url: '/api/login', ...json({ username, password }) });
  const account = async (username: string) => (await services.users.findByUsername(username)) ?? assert.fail();
  const add = (table: keyof Tables, user_id: string, name: string) =>
    insertSample(database, table, {
      user_id,
      username: name,
      owner: name,
      subject: name,
      [keyOf(table)]: `${name} ${table}`.slice(0, 43),
    });
  return {
    ...{ janua, app, services, database, logIn, account, add },
    bearerOf: (answer: { json(): { access_token: string } }) => ({
      authorization: `Bearer ${answer.json().access_token}`,
    }),
    async rename(from: string, to: string) {
      await sql`update people set email = ${to} where email = ${from}`.execute(database);
      // SQLite reads for all requests of a turn of the event loop at once.
      await setImmediate();
    },
    /** The rows of an id, in all tables but those that keep what happened. */
    async countRows(id: string) {
      const counts: Record<string, number> = {};
      for (const table of Object.keys(rows) as (keyof Tables)[]) {
        const others = ['janua_audit', 'janua_people', 'janua_sessions', 'janua_ended_sessions'];
        if (!('user_id' in rows[table]) || others.includes(table)) continue;
        const found = await sql`select 1 from ${sql.table(table)} where user_id = ${id}`.execute(database);
        if (found.rows.length > 0) counts[table] = found.rows.length;
      }
      return counts;
    },
    async [Symbol.asyncDispose]() {
      await direct[Symbol.asyncDispose]();
      await janua[Symbol.asyncDispose]();
    },
  };
}

/** Ann has signed in, and has all that a user can have. */
async function openWithAnn(stores: StoreChoice) {
  const opened = await open(stores);
  const { app, services, logIn, account, add, bearerOf } = opened;
  const bearer = bearerOf(await logIn(ann.username));
  await services.administration.addGroup({ name: 'staff', description: '', scopes: ['reports:read'] });
  await services.administration.changeGroups(ann.username, { add: ['staff'] });
  const sent = json({ name: 'report', expires_in_days: 30 });
  const made = await app.inject({
    method: 'POST',
    url: '/api/account/tokens',
    ...sent,
    headers: { ...sent.headers, ...bearer },
  });
  assert.equal(made.statusCode, 201, made.body);
  const { user } = await account(ann.username);
  const { totp, recoveryCodes } = services.factors;
  const { secret } = await totp.begin(user, ann.username);
  const [code = ''] = await services.hold(provedBy(await account(ann.username)), async (held) => {
    assert.ok(await totp.enable(held, codeOf(secret, Date.now())));
    return recoveryCodes.replace(held);
  });
  for (const table of filled) await add(table, user.id, ann.username);
  return { ...opened, id: user.id, bearer, token: { authorization: `Bearer ${made.json().token}` }, code };
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL', ownTable: true },
  { users: 'PostgreSQL', sessions: 'Redis', ownTable: true },
  { users: 'MariaDB', sessions: 'SQL', ownTable: true },
] as const satisfies StoreChoice[])
  describe(`a newcomer in a team's own table in ${stores.users}, sessions in ${stores.sessions}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    test('is not taken for the former user of the id, of whom all is left until a login', async () => {
      await using opened = await openWithAnn(stores);
      const { app, services, rename, account, id, bearer, token, code, countRows } = opened;
      assert.equal(await isSignedIn(app, token), true);
      const before = await countRows(id);
      await rename(ann.username, eve);
      const newcomer = await account(eve);
      assert.deepEqual([newcomer.user.groups, newcomer.scopes], [[], []]);
      assert.equal(await isSignedIn(app, bearer), false);
      assert.equal(await isSignedIn(app, token), false);
      const { user } = newcomer;
      const { passkeys, totp, recoveryCodesLeft } = await services.manageFactors.list(user, stampOf(newcomer));
      assert.deepEqual([passkeys, totp, recoveryCodesLeft], [[], undefined, 0]);
      assert.deepEqual(await services.factors.methodsOf(newcomer), []);
      assert.equal(await services.factors.recoveryCodes.use(user, code), false);
      assert.deepEqual(await services.personalTokens.list(user), []);
      assert.equal(await services.personalTokens.end(user, 'x'), false);
      assert.deepEqual(await services.applications.list(user), []);
      assert.equal(await services.consents.find(user, ''), undefined);
      assert.deepEqual(await services.linking.list(user), []);
      assert.deepEqual(await services.groups.namesOf(user), []);
      const shown = await services.findUsers.find(id);
      assert.deepEqual([shown?.username, shown?.factors, shown?.lastLoginAt], [eve, [], undefined]);
      assert.deepEqual(await countRows(id), before);
      // The team's program corrects what it wrote by mistake.
      await rename(eve, ann.username);
      assert.equal(await isSignedIn(app, token), true);
      assert.deepEqual((await account(ann.username)).user.groups, ['staff']);
    });

    test('gets nothing of the former user at the first login, also if two run at once', async () => {
      await using opened = await openWithAnn(stores);
      const { app, services, rename, account, id, bearer, token, countRows, logIn, bearerOf } = opened;
      const { sessions } = services;
      await rename(ann.username, eve);
      const answers = await Promise.all([logIn(eve), logIn(eve)]);
      assert.deepEqual(
        answers.map(({ statusCode }) => statusCode),
        [200, 200],
        answers[0]?.body,
      );
      assert.deepEqual(await countRows(id), { janua_logins: 1 });
      const present = await account(eve);
      assert.deepEqual([present.user.isNewcomer, present.user.groups], [false, []]);
      for (const answer of answers) assert.equal(await isSignedIn(app, bearerOf(answer)), true);
      for (const former of [bearer, token]) assert.equal(await isSignedIn(app, former), false);
      assert.equal((await sessions.listOf(id, stampOf(present))).length, 2);
      // The id goes back to the former user, who begins anew.
      await rename(eve, ann.username);
      assert.equal((await logIn(ann.username)).statusCode, 200);
      assert.deepEqual(await countRows(id), { janua_logins: 1 });
      assert.equal(await isSignedIn(app, token), false);
    });

    test('is met by a session that a process of the version before has started, unless another user was met under the id', async () => {
      await using opened = await openWithAnn(stores);
      const { app, services, database, rename, account, id, countRows } = opened;
      await rename(ann.username, eve);
      const start = async () => {
        const how = { methods: ['pwd'] } as const;
        const session = await services.sessions.start({ userId: id, stamp: stampOf(await account(eve)) }, how);
        return { authorization: `Bearer ${session.accessToken}` };
      };
      const before = await countRows(id);
      assert.equal(await isSignedIn(app, await start()), false);
      assert.deepEqual(await countRows(id), before, 'nothing of the former user was cleared');
      // As the migration leaves an id with the names of two users.
      await database.updateTable('janua_people').set({ username: '', stamp: null }).execute();
      assert.equal(await isSignedIn(app, await start()), true);
      assert.equal((await account(eve)).user.isNewcomer, false);
      assert.ok((await services.users.findSince(id)) > 0);
    });

    test('ends the sessions of the former user for good, also when the name comes back', async () => {
      await using opened = await open(stores);
      const { app, services, logIn, rename, account, bearerOf } = opened;
      const signIn = async (name: string) => bearerOf(await logIn(name));
      const former = await signIn(ann.username);
      await rename(ann.username, eve);
      const present = await signIn(eve);
      await services.administration.changeGroups(eve, { add: ['admins'] });
      await rename(eve, ann.username);
      assert.equal(await isSignedIn(app, former), false);
      await rename(ann.username, eve);
      assert.deepEqual((await account(eve)).user.groups, ['admins'], 'a session takes no id over');
      assert.equal(await isSignedIn(app, present), true);
    });

    test('without a name is nobody, whatever is noted for the id', async () => {
      await using opened = await open(stores);
      const { services, database, logIn, rename, account } = opened;
      await logIn(ann.username);
      const { id } = (await account(ann.username)).user;
      await services.administration.changeGroups(ann.username, { add: ['admins'] });
      await database.updateTable('janua_people').set({ username: '', stamp: null }).execute();
      await rename(ann.username, ' ');
      const { user } = (await services.users.findById(id)) ?? {};
      assert.deepEqual([user?.isNewcomer, user?.groups], [true, []]);
    });

    test('is asked for a factor that a process of the version before stored for them', async () => {
      await using opened = await openWithAnn(stores);
      const { database, id, logIn, countRows } = opened;
      const before = await countRows(id);
      // As the migration leaves an id with the names of two users.
      await database.updateTable('janua_people').set({ username: '', stamp: null }).execute();
      const answer = await logIn(ann.username);
      assert.deepEqual([answer.statusCode, answer.json().error], [403, 'mfa_required']);
      assert.deepEqual(await countRows(id), { ...before, janua_pending_logins: 1 });
    });

    test('is no administrator by the membership of the former user', async () => {
      await using opened = await open(stores);
      const { services, janua, rename } = opened;
      const { administration } = services;
      await janua.people.add({ ...ann, username: 'bob@example.com', password });
      for (const name of [ann.username, 'bob@example.com'])
        await administration.changeGroups(name, { add: ['admins'] });
      await rename(ann.username, eve);
      const last = { code: 'last-administrator' };
      await assert.rejects(administration.changeGroups('bob@example.com', { remove: ['admins'] }), last);
    });
  });

test('a login whose account changes while its user is noted counts only if the proof holds', async () => {
  const user = { id: '7', username: eve, firstName: '', lastName: '', groups: [] };
  const account = (passwordHash: string, isNewcomer: boolean): Account => ({
    ...{ user: { ...user, isNewcomer }, passwordHash, disabled: false, scopes: [], stamp: undefined },
  });
  for (const [met, holds, isAdmitted] of [
    [account('proved', false), false, true],
    [account('rehashed', false), true, true],
    [account('changed', false), false, false],
    [undefined, true, false],
  ] as const) {
    let demanded: Account | undefined;
    const unexpected = () => assert.fail();
    const admit = createAdmit({
      access: { findSignedIn: async () => undefined, findPresentedSessions: async () => [] } as never,
      sessions: {
        start: async (owner: object) => ({ ...owner, id: 's', displaced: [] }),
        end: async () => true,
      } as never,
      users: { findById: async () => met },
      audit: {
        record: async () => {},
        requireAllowance: () => {},
        recordIn: async () => {},
        recordIfPossible: async () => {},
        digestName: unexpected,
      },
      demand: async (proof) => {
        demanded = proof.account;
        return undefined;
      },
      noticeSignIn: undefined,
      meet: async () => met,
      noteLogin: async () => {},
    });
    const proof: Proof = { account: account('proved', true), methods: ['pwd'], stillHolds: async () => holds };
    const how = { presented: {}, language: 'en', headers: {}, caller, event: { reason: 'password' } } as const;
    assert.equal((await admit(proof, how)) !== undefined, isAdmitted);
    assert.equal(demanded, isAdmitted ? met : undefined, 'what is asked for is that of the account as it is');
  }
});
