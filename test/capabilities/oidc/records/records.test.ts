import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { exchangeGrant } from '../../../../src/capabilities/oidc/clients/library-client.ts';
import { mostAssertions, mostRecords } from '../../../../src/capabilities/oidc/records/grant-records.ts';
import { AlreadyUsed, createRecords } from '../../../../src/capabilities/oidc/records/records.ts';
import { mostExchanged } from '../../../../src/capabilities/oidc/sign-in/room-limits.ts';
import type { OpenDatabase } from '../../../../src/ground/database/database.ts';
import { insertAll } from '../../../../src/ground/database/insert-new.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { runPart } from '../../../../src/ground/database/long-work.ts';
import { openOwnAccounts } from '../../../core/users/directories.ts';
import { holdIn } from '../../../core/users/held.ts';
import { openMigrated } from '../../../ground/database/open.ts';
import { missing } from '../../../servers/missing.ts';
import type { UserEngine } from '../../../stores.ts';

const recordsIn = (opened: OpenDatabase, now = Date.now, isAlive = async (_id: string) => true) =>
  createRecords(opened, {
    now,
    key: Buffer.alloc(32),
    userIdOf: async () => 'ann',
    findAccount: async () => undefined,
    isAlive,
    listSessions: async () => [],
  });

test('a code, a token and a grant are stored under the SHA-256 of their model and id', async () => {
  await using opened = await openMigrated();
  const { of } = recordsIn(opened);
  const models = ['Grant', 'AuthorizationCode', 'RefreshToken', 'AccessToken'];
  for (const model of models) await of(model).upsert('secret', { grantId: 'secret', clientId: 'wiki' }, 60);
  const rows = await opened.database.selectFrom('janua_oidc_records').select(['id', 'model']).execute();
  assert.deepEqual(
    new Map(rows.map(({ id, model }) => [model, id])),
    new Map(models.map((model) => [model, hash('sha256', `${model} secret`, 'base64url')])),
  );
});

test('of two answers to a device at a time, one counts', async () => {
  await using opened = await openMigrated();
  const { of, takeDevice, answerDevice } = recordsIn(opened);
  const userCode = 'BCDFGHJK';
  await of('DeviceCode').upsert('device', { userCode, clientId: 'television' }, 60);
  const [taken, other] = await Promise.all([takeDevice(userCode), takeDevice(userCode)]);
  assert.equal(other, undefined);
  assert.equal(await takeDevice(userCode), undefined);
  await answerDevice(taken ?? assert.fail(), { error: 'access_denied' });
  assert.equal((await of('DeviceCode').find('device'))?.error, 'access_denied');
});

test('the applications of a user are found without a look-up of each session', async () => {
  await using opened = await openMigrated();
  const users = openOwnAccounts(opened);
  await users.add({ username: 'ann@example.com', firstName: 'A', lastName: 'B', passwordHash: 'hash', demo: false });
  const account = (await users.findByUsername('ann@example.com')) ?? assert.fail();
  const { id } = account.user;
  const { of, bind, clientsOf } = createRecords(opened, {
    ...{ now: Date.now, key: Buffer.alloc(32), userIdOf: async () => id, findAccount: users.findById },
    isAlive: () => assert.fail(),
    listSessions: async () => [{ id: 'session-7' }, { id: 'session-8' }],
  });
  for (let number = 0; number < 20; number += 1)
    await bind(`grant-${number}`, `session-${number}`, () =>
      of('Grant').upsert(`grant-${number}`, { accountId: 'subject', clientId: `client-${number}` }, 60),
    );
  const found = await clientsOf(id);
  assert.deepEqual(
    found.map(({ clientId }) => clientId),
    ['client-7', 'client-8'],
  );
  await holdIn(opened.database, users, users)(id, (held) => users.setDisabled(held, true));
  assert.deepEqual(await clientsOf(id), []);
});

test('a code is taken once, and taking it again revokes its grant', async () => {
  await using opened = await openMigrated();
  const { of } = recordsIn(opened);
  await of('Grant').upsert('grant', { accountId: 'subject', clientId: 'wiki' }, 60);
  await of('AuthorizationCode').upsert('code', { grantId: 'grant', clientId: 'wiki' }, 60);
  await of('AuthorizationCode').consume('code');
  assert.ok(await of('Grant').find('grant'));
  await assert.rejects(of('AuthorizationCode').consume('code'), AlreadyUsed);
  assert.equal(await of('Grant').find('grant'), undefined);
});

test('a token that is exchanged while its subject is revoked is none', async () => {
  await using opened = await openMigrated();
  const { of } = recordsIn(opened);
  const tokens = of('AccessToken');
  const exchange = () => tokens.upsert('exchanged', { grantId: 'grant', clientId: 'wiki' }, 60, 'subject');
  await of('Grant').upsert('grant', { accountId: 'subject', clientId: 'wiki' }, 60);
  await tokens.upsert('subject', { grantId: 'grant', clientId: 'wiki' }, 60);
  await exchange();
  assert.ok(await tokens.find('exchanged'));
  await tokens.destroy('subject');
  await assert.rejects(exchange(), AlreadyUsed);
  assert.equal(await tokens.find('exchanged'), undefined);
});

test('exchanged tokens of a grant have a limit of their own, and leave the tokens of the application', async () => {
  await using opened = await openMigrated();
  const { of } = recordsIn(opened);
  const tokens = of('AccessToken');
  await of('Grant').upsert('grant', { accountId: 'subject', clientId: 'wiki' }, 60);
  await tokens.upsert('own', { grantId: 'grant', clientId: 'wiki' }, 60);
  const numbers = Array.from({ length: mostRecords.ofGrant + 1 }, (_, number) => number);
  for (const number of numbers)
    await tokens.upsert(`exchanged-${number}`, { grantId: 'grant', clientId: 'wiki', gty: exchangeGrant }, 60);
  assert.ok(await tokens.find('own'));
  const living = await Promise.all(numbers.map((number) => tokens.find(`exchanged-${number}`)));
  assert.equal(living.filter(Boolean).length, mostExchanged);
});

test('what lasts without the session ends 30 days after its last use, to within an hour', async () => {
  await using opened = await openMigrated();
  const [hour, day] = [3_600_000, 86_400_000];
  let time = 0;
  const { of, keep } = recordsIn(opened, () => time);
  await of('Grant').upsert('grant', { accountId: 'subject', clientId: 'wiki' }, 60);
  await keep('grant', 'stamp');
  const endAfterUseAt = async (at: number) => {
    time = at;
    await of('RefreshToken').upsert(`token-${at}`, { grantId: 'grant', clientId: 'wiki' }, 60);
    const grant = opened.database.selectFrom('janua_oidc_records').select('expires_at').where('model', '=', 'Grant');
    return Number((await grant.executeTakeFirstOrThrow()).expires_at);
  };
  for (const [at, from] of [
    [hour - 1, 0],
    [hour, hour],
    [20 * day, 20 * day],
  ] as const)
    assert.equal(await endAfterUseAt(at), from + 30 * day);
});

test('of the refresh tokens of a grant, only those that count or are in their grace are kept', async () => {
  await using opened = await openMigrated();
  let time = 0;
  const { of, newRefreshToken, successorOf } = recordsIn(opened, () => time);
  await of('Grant').upsert('grant', { accountId: 'subject', clientId: 'wiki' }, 86_400);
  const refreshTokens = of('RefreshToken');
  const use = async (token: string) => {
    assert.equal((await refreshTokens.find(token))?.consumed, undefined);
    const next = successorOf(token);
    const written = [
      refreshTokens.consume(token),
      refreshTokens.upsert(next, { grantId: 'grant', clientId: 'wiki' }, 86_400),
    ];
    await Promise.all(written);
    return next;
  };
  const first = newRefreshToken();
  await refreshTokens.upsert(first, { grantId: 'grant', clientId: 'wiki' }, 86_400);
  const issued = [first];
  for (let uses = 0; uses < 100; uses += 1) {
    issued.push(await use(issued.at(-1) ?? ''));
    time += 1000;
  }
  const rows = await opened.database.selectFrom('janua_oidc_records').select('id').execute();
  assert.ok(
    rows.length <= 13,
    `${rows.length} rows: the grant, the token that counts, and those of the last ten seconds`,
  );

  // Each of the others is still known as used, and the library then revokes the grant.
  const [one = '', two = ''] = [issued[0], issued[50]];
  for (const used of [one, two]) {
    const found = (await refreshTokens.find(used)) ?? assert.fail();
    assert.ok(found.consumed !== undefined);
    assert.deepEqual([found.grantId, found.jti], ['grant', used]);
  }
  assert.equal((await refreshTokens.find(issued.at(-1) ?? ''))?.consumed, undefined);
  assert.equal(await refreshTokens.find(newRefreshToken()), undefined, 'a token of no family is unknown');
});

test('a client that is removed leaves nothing behind, however much it holds, and others keep theirs', async () => {
  await using opened = await openMigrated();
  const { database } = opened;
  const { of, revokeClient } = recordsIn(opened);
  for (let index = 0; index < 1_001; index++)
    await of('Grant').upsert(`grant-${index}`, { accountId: 'subject', clientId: 'wiki' }, 60);
  await of('Grant').upsert('other', { accountId: 'subject', clientId: 'notes' }, 60);
  await revokeClient('wiki');
  const left = await database.selectFrom('janua_oidc_records').select('client_id').execute();
  assert.deepEqual(left, [{ client_id: 'notes' }]);
});

test('a grant that is revoked ends at once, and its codes and tokens go in batches, between which others run', async () => {
  await using opened = await openMigrated();
  const { database } = opened;
  const { of, revokeOf } = recordsIn(opened);
  await of('Grant').upsert('grant', { accountId: 'subject', clientId: 'wiki' }, 60);
  const grant = await database.selectFrom('janua_oidc_records').selectAll().executeTakeFirstOrThrow();
  const tokens = Array.from({ length: 2_000 }, (_, index) => ({
    ...grant,
    id: `token-${index}`,
    model: 'AccessToken',
    user_id: null,
    grant_id: grant.id,
  }));
  await insertAll(database, 'janua_oidc_records', tokens);
  const revoked = revokeOf('ann', 'wiki');
  const seen: string[][] = [];
  do {
    const rows = await database.selectFrom('janua_oidc_records').select('model').execute();
    seen.push(rows.map(({ model }) => model));
    await setImmediate();
  } while (seen.at(-1)?.length !== 0);
  await revoked;
  const between = seen.filter(({ length }) => length > 0 && length < tokens.length);
  assert.ok(between.length >= 2, `${seen.map(({ length }) => length)} rows`);
  assert.ok(between.every((models) => !models.includes('Grant')));
});

test('tokens of revoked grants are removed in turn with other long work, for which no request waits', async () => {
  await using opened = await openMigrated();
  const { of, revokeOf } = recordsIn(opened);
  const tokens = () => opened.database.selectFrom('janua_oidc_records').select('id').execute();
  for (const client of ['wiki', 'notes']) {
    await of('Grant').upsert(client, { accountId: 'subject', clientId: client }, 60);
    await of('AccessToken').upsert(client, { grantId: client, clientId: client }, 60);
  }
  const gate = Promise.withResolvers<void>();
  const other = runPart(() => gate.promise);
  await Promise.all([revokeOf('ann', 'wiki'), revokeOf('ann', 'notes')]);
  for (let turns = 0; turns < 5; turns += 1) await setImmediate();
  assert.equal((await tokens()).length, 2);
  gate.resolve();
  await other;
  while ((await tokens()).length > 0) await setImmediate();
});

test('what a sweep, a token and the removal of a client look for is found by an index', async () => {
  await using opened = await openMigrated();
  for (const query of [
    sql`select id from janua_oidc_records where client_id = 'wiki' limit 500`,
    sql`select id from janua_consents where client_id = 'wiki' limit 500`,
    sql`select id from janua_oidc_records where grant_id = 'grant' and model = 'AccessToken' limit 1 offset 100`,
    sql`select id from janua_oidc_records where grant_id = 'grant' and model = 'AccessToken' order by created_at desc limit 500 offset 100`,
    sql`select distinct session_id from janua_oidc_records where session_id is not null and session_id > 'a' order by session_id limit 500`,
    sql`select distinct session_id from janua_logout_notices where due_at is null and session_id > 'a' order by session_id limit 500`,
  ]) {
    const { rows } = await sql<{ detail: string }>`explain query plan ${query}`.execute(opened.database);
    const plan = rows.map(({ detail }) => detail).join('; ');
    assert.match(plan, /^SEARCH \w+ USING (?:COVERING )?INDEX/);
    assert.doesNotMatch(plan, /TEMP B-TREE/, 'nothing is sorted');
  }
});

test('what was given in a session that has ended is removed, and what others hold stays', async () => {
  await using opened = await openMigrated();
  const alive = new Set(['alive']);
  const { of, bind, keep, removeOfEnded } = recordsIn(opened, Date.now, async (id) => alive.has(id));
  const sessions = [...Array.from({ length: 700 }, (_, index) => `ended-${index}`), 'alive'];
  for (const session of sessions) {
    const id = `grant-${session}`;
    await bind(id, session, () => of('Grant').upsert(id, { accountId: session, clientId: 'wiki' }, 86_400));
  }
  await of('RefreshToken').upsert('ended', { grantId: 'grant-ended-0', clientId: 'wiki' }, 86_400);
  await bind('lasting', 'ended-0', () => of('Grant').upsert('lasting', { accountId: 'x', clientId: 'cli' }, 86_400));
  await keep('lasting', 'stamp');
  await removeOfEnded();
  const left = await opened.database.selectFrom('janua_oidc_records').select(['session_id', 'client_id']).execute();
  assert.deepEqual(
    left.map((row) => [row.session_id, row.client_id]).sort(),
    [
      ['alive', 'wiki'],
      [null, 'cli'],
    ].sort(),
  );
});

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[])
  test(`in ${engine}, a grant that is issued again revives no former token, and keeps its own`, {
    skip: missing(engine),
  }, async () => {
    await using opened = await openMigrated(engine);
    const { of, bind, revokeOf } = recordsIn(opened);
    const issue = () =>
      bind('grant', 'session', () => of('Grant').upsert('grant', { accountId: 'subject', clientId: 'wiki' }, 60));
    const add = (model: string, id: string) => of(model).upsert(id, { grantId: 'grant', clientId: 'wiki' }, 60);
    const gate = Promise.withResolvers<void>();
    const waiting = runPart(() => gate.promise);
    await issue();
    await add('AccessToken', 'former');
    await revokeOf('ann', 'wiki');
    await issue();
    assert.equal(await of('AccessToken').find('former'), undefined);
    await add('AuthorizationCode', 'code');
    // Another request found no grant at the same time.
    await issue();
    const removed = runPart(async () => {});
    gate.resolve();
    await Promise.all([waiting, removed]);
    assert.ok(await of('AuthorizationCode').find('code'));
  });

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[])
  describe(`of what applications hold in ${engine}, the oldest makes room`, { skip: missing(engine) }, () => {
    const { grants, lastingGrants, lastingGrantsOfClient, ofGrant } = mostRecords;

    async function open() {
      const opened = await openMigrated(engine);
      let time = 1_000;
      const records = recordsIn(opened, () => time);
      const count = async (...models: string[]) => {
        const kept = opened.database.selectFrom('janua_oidc_records').select('id').where('model', 'in', models);
        return (await kept.execute()).length;
      };
      const give = async (id: string, clientId: string) => {
        time += 1;
        await records.of('Grant').upsert(id, { accountId: 'subject', clientId }, 86_400);
      };
      const pass = () => {
        time += 1;
      };
      return { ...records, count, give, pass, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
    }

    test('for codes and tokens of a grant', async () => {
      await using opened = await open();
      const { of, give, count } = opened;
      await give('grant', 'wiki');
      await give('other', 'wiki');
      const models = ['AuthorizationCode', 'AccessToken', 'RefreshToken'];
      const add = (model: string, number: number, grantId = 'grant') =>
        of(model).upsert(`${model}-${grantId}-${number}`, { grantId, clientId: 'wiki' }, 3600);
      for (const model of models) await add(model, 0, 'other');
      opened.pass();
      for (const model of models) await add(model, 0);
      // As refreshes add them, in turns.
      for (let number = 1; number < 240; number += 10) {
        opened.pass();
        const added = Array.from({ length: 10 }, (_, index) => models.map((model) => add(model, number + index)));
        await Promise.all(added.flat());
        for (const model of models)
          assert.equal(await count(model), 1 + Math.min(number + 10, ofGrant), `${model} after ${number + 10}`);
      }
      assert.ok(await of('Grant').find('grant'));
      assert.equal(await of('AccessToken').find('AccessToken-grant-0'), undefined);
      for (const kept of ['grant-240', 'other-0']) assert.ok(await of('AccessToken').find(`AccessToken-${kept}`), kept);
    });

    test('for grants of an account that last, of a client and of all', async () => {
      await using opened = await open();
      const { give, keep, count, of } = opened;
      const last = async (id: string, clientId: string) => {
        await give(id, clientId);
        await keep(id, 'stamp');
      };
      await last('first', 'cli');
      await of('RefreshToken').upsert('token', { grantId: 'first', clientId: 'cli' }, 3600);
      for (let number = 1; number < lastingGrantsOfClient; number += 1) await last(`cli-${number}`, 'cli');
      assert.equal(await count('Grant'), lastingGrantsOfClient);
      await last('one-more', 'cli');
      assert.equal(await count('Grant'), lastingGrantsOfClient);
      while ((await count('RefreshToken')) > 0) await setImmediate();
      for (let number = 0; number < lastingGrants; number += 1) await last(`other-${number}`, `client-${number}`);
      assert.equal(await count('Grant'), lastingGrants);
    });

    test('for all grants of an account', async () => {
      await using opened = await open();
      for (let number = 0; number < grants + 20; number += 1) await opened.give(`grant-${number}`, `client-${number}`);
      assert.equal(await opened.count('Grant'), grants);
      assert.ok(await opened.of('Grant').find(`grant-${grants + 19}`));
      assert.equal(await opened.of('Grant').find('grant-0'), undefined);
    });
  });

for (const store of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  test(`a party with ${mostAssertions} used assertions in ${store} uses no more, and none of them again, until they expire`, {
    skip: missing(store),
  }, async () => {
    await using opened = await openMigrated(store);
    const start = 0;
    let time = start;
    const records = recordsIn(opened, () => time);
    const use = (number: number, party = 'app.example.com') =>
      records.useAssertion({
        issuer: `https://${party}/${number % 7}.json`,
        jti: `jti-${number}`,
        // Those that end at once are kept for as long.
        end: number % 2 === 0 ? start + 1 : start + 300_999.5,
        party,
      });
    for (let number = 0; number < mostAssertions; number += 50) {
      const uses = await Promise.all(Array.from({ length: 50 }, (_, index) => use(number + index)));
      assert.ok(uses.every((one) => one === 'new'));
    }
    assert.equal(await use(mostAssertions), 'too-many');
    for (const used of [0, 1, mostAssertions - 1]) assert.notEqual(await use(used), 'new');
    assert.equal(await use(1, 'other.example.com'), 'new');
    time = start + 299_000;
    assert.equal(await use(mostAssertions), 'too-many', 'all of them are kept');
    time = start + 300_000;
    assert.equal(await use(mostAssertions), 'new', 'half of them have expired');
    assert.equal(await use(1), 'used');
    const stored = await opened.database.selectFrom('janua_oidc_records').select('expires_at').execute();
    assert.ok(stored.every((row) => Number.isInteger(Number(row.expires_at))));
  });
