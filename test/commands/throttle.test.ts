import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { policies } from '../../src/core/access/login-limits.ts';
import { createSqlFailureStore } from '../../src/core/throttle/sql-store.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { missing } from '../servers/missing.ts';
import { openStores, type StoreChoice } from '../stores.ts';
import { createWorkplace } from './janua-command.ts';

const secret = 'correct horse battery';

const choices: readonly StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'SQLite', sessions: 'Redis' },
];

/** A folder with tables, and one user. */
async function openPlace(choice: StoreChoice = { users: 'SQLite', sessions: 'SQL' }) {
  const workplace = await createWorkplace();
  const stores = await openStores(choice);
  const env = { ...stores.settings, DATABASE_URL: 'sqlite:./janua.db' };
  const run = (args: readonly string[], input = '') => workplace.run(args, { env, input });
  await run(['migrate']);
  await run(['users', 'add', 'ann@example.com', '--first-name', 'Ann', '--last-name', 'A'], secret);
  const throttle = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(['throttle', ...args]);
    assert.deepEqual([code, stderr], [0, '']);
    return stdout;
  };
  return {
    run,
    throttle,
    serve: () => workplace.start(['serve'], env),
    file: `sqlite:${join(workplace.folder, 'janua.db')}`,
    ann: JSON.parse((await run(['users', 'list', '--json'])).stdout).id as string,
    /** The listed keys as JSON, without times. */
    async list(): Promise<Record<string, unknown>[]> {
      const lines = (await throttle('list', '--json')).split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line));
    },
    async lifts(): Promise<Record<string, unknown>[]> {
      const { stdout } = await run(['audit', '--json', '--kind', 'throttle-lifted']);
      const lines = stdout.split('\n').filter((line) => line !== '');
      return lines.map((line) => {
        const { caller, userId, nameDigest, reason } = JSON.parse(line);
        assert.equal(caller.route, 'janua throttle lift');
        return { ...(userId && { userId }), ...(nameDigest && { nameDigest }), ...(reason && { reason }) };
      });
    },
    async [Symbol.asyncDispose]() {
      await workplace[Symbol.asyncDispose]();
      await stores.drop();
    },
  };
}

for (const choice of choices) {
  describe(`failures in ${choice.sessions}`, { skip: missing(choice.users, choice.sessions) }, () => {
    test('are listed, and lifted by name and by address, even while a server runs', async () => {
      await using place = await openPlace(choice);
      const { ann } = place;
      assert.equal(await place.throttle('list'), 'There are no failures.\n');
      const server = await place.serve();
      async function logIn(name: string, password: string): Promise<number> {
        const body = new URLSearchParams({ username: `${name}@example.com`, password });
        return (await fetch(`${server.url}/api/login`, { method: 'POST', body })).status;
      }
      for (let index = 0; index < policies.pair.free; index += 1) assert.equal(await logIn('ann', 'wrong'), 400);
      assert.equal(await logIn('ann', secret), 429);
      assert.equal(await logIn('bob', 'wrong'), 400);

      const [heading, ...rows] = (await place.throttle('list')).trimEnd().split('\n');
      assert.match(heading ?? '', /^KIND +SUBJECT +FAILURES +LAST \(UTC\) +STATE$/);
      const cells = rows.map((row) => row.split(/ {2,}/));
      assert.deepEqual(
        cells.map(([kind, , failures]) => [kind, failures]),
        [
          ['account', '8'],
          ['address', '9'],
          ['name', '8'],
          ['name', '1'],
          ['pair', '8'],
          ['pair', '1'],
        ],
      );
      assert.deepEqual(
        cells.map(([, whose]) => whose).filter((whose) => !/^[\w-]{22}(?: from 127\.0\.0\.1)?$/.test(whose ?? '')),
        ['ann@example.com', '127.0.0.1', 'ann@example.com', 'ann@example.com from 127.0.0.1'],
      );

      assert.equal(await place.throttle('lift', 'ANN@example.com'), 'The failures of 3 keys are forgotten.\n');
      assert.equal(await logIn('ann', secret), 200);
      assert.equal(await place.throttle('lift', '--address', '127.0.0.1'), 'The failures of 2 keys are forgotten.\n');
      const left = await place.list();
      assert.deepEqual(
        left.map(({ kind, failures }) => [kind, failures]),
        [['name', 1]],
      );
      assert.equal(await place.throttle('lift', 'bob@example.com'), 'The failures of one key are forgotten.\n');
      assert.equal(await place.throttle('lift', '--all'), 'There were no failures to forget.\n');
      assert.deepEqual(await place.lifts(), [
        { userId: ann },
        { reason: 'address 127.0.0.1' },
        { nameDigest: left[0]?.nameDigest },
      ]);
      await server.stop();
    });
  });
}

test('janua throttle list shows waits, stops, and failures that a new password has cleared', async () => {
  await using place = await openPlace();
  await using opened = await openTestDatabase(place.file);
  const old = Date.UTC(2026, 0, 1);
  const now = Date.now();
  const rows = [
    { key: `account:${place.ann}:${'o'.repeat(43)}`, count: 100, last_at: old, expires_at: null },
    { key: 'account:gone:f', count: 100, last_at: old + 1000, expires_at: null },
    { key: 'name:digest', count: 100, last_at: old, expires_at: null },
    { key: 'pair:digest:2001:db8::/64', count: 15, last_at: now, expires_at: now + 1_000_000 },
    { key: 'address:192.0.2.1', count: 1, last_at: now, expires_at: now + 1_000_000 },
    { key: 'address:192.0.2.2', count: 1, last_at: old, expires_at: old + 1_000_000 },
  ];
  await opened.database.insertInto('janua_failures').values(rows).execute();
  const second = (time: number) => new Date(time).toISOString().slice(0, 19).replace('T', ' ');
  assert.deepEqual(
    (await place.throttle('list'))
      .trimEnd()
      .split('\n')
      .map((row) => row.split(/ {2,}/)),
    [
      ['KIND', 'SUBJECT', 'FAILURES', 'LAST (UTC)', 'STATE'],
      ['account', 'ann@example.com', '100', '2026-01-01 00:00:00', 'no longer counts'],
      ['account', 'id gone', '100', '2026-01-01 00:00:01', 'no longer counts'],
      ['address', '192.0.2.1', '1', second(now)],
      ['name', 'digest', '100', '2026-01-01 00:00:00', 'stopped until lifted'],
      ['pair', 'digest from 2001:db8::/64', '15', second(now), `waits until ${second(now + 900_000)}`],
    ],
  );
  const time = new Date(old).toISOString();
  assert.deepEqual(
    (await place.list()).find(({ userId }) => userId === place.ann),
    {
      ...{ kind: 'account', userId: place.ann, failures: 100, lastFailureAt: time, stopped: true },
      ...{ username: 'ann@example.com', outdated: true },
    },
  );
});

test('janua throttle lift takes an address in any spelling, and refuses wrong arguments', async () => {
  await using place = await openPlace();
  await using opened = await openTestDatabase(place.file);
  const keys = ['2001:db8:1:2::/64', '192.0.2.1', 'unknown'];
  const store = createSqlFailureStore(opened);
  await store.count(
    [...keys.map((address) => `address:${address}`), 'end-site:2001:db8:1::/48'].map((key) => ({
      key,
      policy: policies.address,
    })),
    Date.now(),
  );
  for (const address of ['2001:DB8:1:2:3::4', '2001:DB8:1:2::/48', '::ffff:192.0.2.1', 'unknown'])
    assert.equal(await place.throttle('lift', '--address', address), 'The failures of one key are forgotten.\n');
  for (const args of [[], ['ann@example.com', '--all'], ['--all', '--address', '192.0.2.1']]) {
    const { code, stderr } = await place.run(['throttle', 'lift', ...args]);
    assert.deepEqual([code, stderr], [2, 'Say which failures: an e-mail address, --address ADDRESS, or --all.\n']);
  }
  const wrong = await place.run(['throttle', 'lift', '--address', 'example.com']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^--address must be an IP address/);
});
