import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { missing } from '../servers/missing.ts';
import { openStores, type StoreChoice } from '../stores.ts';
import { createWorkplace, type Running } from './janua-command.ts';

const secret = 'correct horse battery';

const choices: readonly StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'SQL' },
  { users: 'MariaDB', sessions: 'Redis' },
];

/** A folder and stores with the tables of `janua migrate`. */
async function openPlace(choice: StoreChoice) {
  const workplace = await createWorkplace();
  const stores = await openStores(choice);
  const file = choice.users === 'SQLite' ? { DATABASE_URL: 'sqlite:./janua.db' } : {};
  const env = { ...stores.settings, ...file } as Record<string, string>;
  const run = (args: string[], input = '') => workplace.run(args, { env, input });
  await run(['migrate']);
  return {
    run,
    serve: () => workplace.start(['serve'], env),
    async [Symbol.asyncDispose]() {
      await workplace[Symbol.asyncDispose]();
      await stores.drop();
    },
  };
}

for (const choice of choices) {
  describe(`the sessions of a user, in ${choice.users} and ${choice.sessions}`, {
    skip: missing(choice.users, choice.sessions),
  }, () => {
    let place: Awaited<ReturnType<typeof openPlace>>;
    let server: Running;
    before(async () => {
      place = await openPlace(choice);
      server = await place.serve();
      // Nobody else reads its log. Unread, it would fill the pipe.
      server.process.stdout.resume();
    });
    after(() => place[Symbol.asyncDispose]());

    test('are listed, and ended one by one or all at once', async () => {
      const { run } = place;
      for (const name of ['ann', 'bob'])
        await run(['users', 'add', `${name}@example.com`, '--first-name', 'A', '--last-name', 'B'], secret);

      async function logIn(name: string, more = {}): Promise<string> {
        const body = new URLSearchParams({ username: `${name}@example.com`, password: secret, ...more });
        const answer = await fetch(`${server.url}/api/login`, { method: 'POST', body });
        return ((await answer.json()) as { access_token: string }).access_token;
      }
      const isSignedIn = async (token: string) =>
        (await fetch(`${server.url}/api/me`, { headers: { authorization: `Bearer ${token}` } })).status === 200;

      assert.equal((await run(['sessions', 'list', 'ann@example.com'])).stdout, 'There are no sessions.\n');
      const tokens = [await logIn('ann'), await logIn('ann'), await logIn('ann', { remember: 'on' })];
      const other = await logIn('bob');
      const idOf = (token = '') => token.slice('janua_'.length).split('.')[0] ?? '';

      const table = (await run(['sessions', 'list', 'ANN@example.com'])).stdout.trim().split('\n');
      assert.match(table[0] ?? '', /^SESSION +STARTED \(UTC\) +LAST SEEN +ENDS UNLESS USED$/);
      assert.deepEqual(
        table
          .slice(1)
          .map((line) => line.split(' ', 1)[0])
          .toSorted(),
        tokens.map(idOf).toSorted(),
      );
      const json = (await run(['sessions', 'list', 'ann@example.com', '--json'])).stdout.trim().split('\n');
      for (const line of json) {
        const { id, startedAt, expiresAt, lastSeenAt: _, ...client } = JSON.parse(line);
        assert.ok(tokens.map(idOf).includes(id));
        assert.ok(new Date(startedAt) < new Date(expiresAt));
        const remembered = id === idOf(tokens[2]);
        assert.deepEqual(client, { userAgent: 'node', address: '127.0.0.1', remembered });
      }

      assert.equal((await run(['sessions', 'revoke', idOf(tokens[0])])).stdout, 'The session has ended.\n');
      assert.deepEqual(await Promise.all(tokens.map(isSignedIn)), [false, true, true]);
      const again = await run(['sessions', 'revoke', idOf(tokens[0])]);
      assert.deepEqual([again.code, again.stderr], [1, 'There is no session with that id.\n']);

      assert.equal((await run(['sessions', 'revoke-all', 'ann@example.com'])).stdout, '2 sessions have ended.\n');
      assert.deepEqual(await Promise.all(tokens.map(isSignedIn)), [false, false, false]);
      assert.equal(await isSignedIn(other), true);

      const bob = JSON.parse((await run(['users', 'list', '--json'])).stdout.trim().split('\n')[1] ?? '');
      assert.equal((await run(['sessions', 'revoke-all', '--user-id', bob.id])).stdout, 'One session has ended.\n');
      assert.equal(await isSignedIn(other), false);

      for (const args of [
        ['sessions', 'list'],
        ['sessions', 'revoke-all', 'bob@example.com', '--user-id', bob.id],
      ]) {
        const { code, stderr } = await run(args);
        assert.deepEqual(
          [code, stderr],
          [2, 'Name the user: an e-mail address, or --user-id for a user who no longer exists.\n'],
        );
      }
      const unknown = await run(['sessions', 'list', 'nobody@example.com']);
      assert.deepEqual([unknown.code, unknown.stderr], [1, 'There is no user with that name.\n']);
    });

    test('end when the user is disabled, gets another password, or is removed', async () => {
      const { run } = place;
      await run(['users', 'add', 'cid@example.com', '--first-name', 'A', '--last-name', 'B'], secret);
      const statusOf = async (token: string) =>
        (await fetch(`${server.url}/api/me`, { headers: { authorization: `Bearer ${token}` } })).status;

      for (const [args, input] of [
        [['users', 'disable', 'cid@example.com'], ''],
        [['users', 'set-password', 'cid@example.com'], secret],
        [['users', 'remove', 'cid@example.com'], ''],
      ] as const) {
        const body = new URLSearchParams({ username: 'cid@example.com', password: secret });
        const answer = await fetch(`${server.url}/api/login`, { method: 'POST', body });
        const { access_token: token } = (await answer.json()) as { access_token: string };
        assert.equal(await statusOf(token), 200);
        assert.equal((await run([...args], input)).code, 0);
        assert.equal(await statusOf(token), 401, args[1]);
        if (args[1] === 'disable') {
          await run(['users', 'enable', 'cid@example.com']);
          assert.equal(await statusOf(token), 401, 'enabling the user does not revive the session');
        }
      }
    });
  });
}
