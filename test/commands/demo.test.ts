import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createWorkplace, type Running, type Workplace } from './janua-command.ts';

const demoUsers = ['behai_nguyen@hotmail.com', 'pranav.furedi.10198@gmail.com'];

const logIn = (url: string, username: string) =>
  fetch(`${url}/api/login`, { method: 'POST', body: new URLSearchParams({ username, password: 'password' }) });

test('the demo prints its address and its users, they can sign in, and data stays between runs', async () => {
  await using workplace = await createWorkplace();
  let server = await workplace.start(['demo']);
  const tokens: string[] = [];
  for (const username of demoUsers) {
    assert.ok(server.output.includes(username));
    const answer = await logIn(server.url, username);
    assert.equal(answer.status, 200);
    tokens.push(((await answer.json()) as { access_token: string }).access_token);
  }
  assert.equal(await server.stop('SIGTERM'), 0);

  server = await workplace.start(['demo']);
  for (const [index, token] of tokens.entries()) {
    const me = await fetch(`${server.url}/api/me`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(((await me.json()) as { username: string }).username, demoUsers[index]);
  }
  assert.equal((await logIn(server.url, demoUsers[0] ?? '')).status, 200);
  assert.equal(await server.stop('SIGINT'), 0);
  const exported = await workplace.run(['users', 'export', '--json']);
  assert.deepEqual([exported.code, exported.stdout], [0, '']);
  assert.match(exported.stderr, /^Left out, because their passwords are public: 3 demo users\.\n$/);
});

describe('one demo', () => {
  let workplace: Workplace;
  let server: Running;
  before(async () => {
    workplace = await createWorkplace();
    server = await workplace.start(['demo']);
  });
  after(() => workplace[Symbol.asyncDispose]());

  test('the demo answers for this machine alone, so that no name of another site leads to its mailbox', async () => {
    const port = new URL(server.url).port;
    const statusFor = async (host: string) => {
      const [answer] = (await once(
        get(`${server.url}/api/demo/mail`, { headers: { host }, agent: false }),
        'response',
      )) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'LOCALHOST', '127.0.0.1'])
      assert.equal(await statusFor(host), 200, host);
    for (const host of [
      `evil.example:${port}`,
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '0.0.0.0',
    ])
      assert.equal(await statusFor(host), 421, host);
  });

  test('the demo makes its file in data/, readable only by its owner', async () => {
    for (const name of ['janua.db', 'janua.db-wal']) {
      assert.equal((await stat(join(workplace.folder, 'data', name))).mode & 0o777, 0o600);
    }
  });

  test('the demo accepts its own origin by either host name, at its own port only', async () => {
    const { port } = new URL(server.url);
    for (const [origin, status] of [
      [`http://localhost:${port}`, 401],
      [`http://127.0.0.1:${port}`, 401],
      ['http://localhost:1', 403],
    ] as const) {
      const answer = await fetch(`${server.url}/api/logout`, { method: 'POST', headers: { origin } });
      assert.equal(answer.status, status, origin);
    }
  });
});

test('an acknowledged login or logout survives a kill of the demo', async () => {
  await using workplace = await createWorkplace();
  let server = await workplace.start(['demo']);
  const tokens = await Promise.all(
    demoUsers.map(
      async (name) => ((await (await logIn(server.url, name)).json()) as { access_token: string }).access_token,
    ),
  );
  const bearer = (index: number) => ({ authorization: `Bearer ${tokens[index]}` });
  await fetch(`${server.url}/api/logout`, { method: 'POST', headers: bearer(1) });
  await server.stop('SIGKILL');

  server = await workplace.start(['demo']);
  assert.equal((await fetch(`${server.url}/api/me`, { headers: bearer(0) })).status, 200);
  assert.equal((await fetch(`${server.url}/api/me`, { headers: bearer(1) })).status, 401);
  await server.stop();
});

for (const [index, env] of [
  { HOST: '0.0.0.0' },
  { HOST: '::' },
  { HOST: '192.0.2.1' },
  { HOST: 'example.com' },
  { PUBLIC_URL: 'https://auth.example.com' },
].entries()) {
  test(`the demo refuses ${JSON.stringify(env)}`, async () => {
    await using workplace = await createWorkplace();
    const { code, stderr } = await workplace.run(['demo'], { env, alone: index === 0 });
    assert.equal(code, 2);
    assert.match(stderr, /^The demo has public passwords and listens on this machine only\. .*\n$/);
  });
}
