import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { account, type Deployment, startDeployment } from '../selftest/deployment.ts';
import { createWorkplace, shutting } from './janua-command.ts';

let deployment: Deployment;
before(async () => {
  deployment = await startDeployment();
});
after(() => deployment[Symbol.asyncDispose]());

const usual = () => {
  const { proxy, certificate } = deployment;
  const { username } = account;
  return [
    ...['selftest', '--against', proxy.url, '--ca', certificate.certificate, '--user', username],
    ...['--http-port', String(proxy.plainPort)],
  ];
};

test('janua selftest prints the checks that hold, and a fix for each that does not', async () => {
  const { workplace, proxy } = deployment;
  const well = await workplace.run(usual(), { input: `${account.password}\n` });
  assert.equal(well.stderr, '');
  assert.equal(well.code, 0, well.stdout);
  assert.match(well.stdout, /^ok {7}reach {10}https:\/\/localhost:\d+ gives the login page\.\n/);
  assert.match(well.stdout, /\n\nNothing is wrong; 1 warning\.\nIt took \d\d requests\.\n$/);
  assert.equal(await deployment.countSessions(), 0);

  proxy.misdeeds = { answer: ({ headers }) => delete headers['strict-transport-security'] };
  const badly = await workplace.run([...usual(), '--json'], { input: account.password });
  proxy.misdeeds = {};
  assert.equal(badly.code, 1);
  const lines = badly.stdout
    .trim()
    .split('\n')
    .map((line): { check: string; state: string; fix?: string } => JSON.parse(line));
  assert.deepEqual(
    lines.filter(({ state }) => state === 'wrong').map(({ check, fix }) => [check, fix?.split(',', 1)[0]]),
    [['hsts', `PUBLIC_URL=${proxy.url}`]],
  );
});

test('janua selftest names the checks that it skips without --user and --throttle', async () => {
  const { workplace, proxy, certificate } = deployment;
  const args = ['selftest', '--against', proxy.url, '--ca', certificate.certificate, '--json'];
  const { code, stdout } = await workplace.run(args);
  assert.equal(code, 0, stdout);
  const lines = stdout.split('\n').filter((line) => line.includes('"state":"warning"'));
  assert.equal(lines.length, 2, stdout);
  assert.match(lines[0] ?? '', /"check":"login".*Not checked: cookies, sessions and logout\..*--user EMAIL/);
  // The server recorded the request that the line names, with the address that the throttle counts.
  assert.match(lines[1] ?? '', /"check":"throttle".*Not checked: .*--throttle/);
  const id = /janua explain ([\w-]+)/.exec(lines[1] ?? '')?.[1] ?? '';
  const explained = await workplace.run(['explain', id], { env: { TRUSTED_PROXIES: '127.0.0.1' } });
  assert.match(explained.stdout, new RegExp(proxy.client.replaceAll('.', '\\.')));
});

test('janua selftest leaves no session behind when it is stopped', async () => {
  const { proxy, workplace } = deployment;
  const reached = Promise.withResolvers<void>();
  proxy.misdeeds = {
    request({ path }) {
      if (path !== '/auth/logout') return undefined;
      reached.resolve();
      return 'hang';
    },
  };
  const child = workplace.launch([...usual(), '--timeout', '60'], {});
  child.stdin.end(account.password);
  const output = text(child.stdout);
  await reached.promise;
  // Without a session the test would show nothing.
  assert.notEqual(await deployment.countSessions(), 0);
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  const [code] = await ended;
  proxy.misdeeds = {};
  assert.equal(code, 1);
  assert.match(await output, /\nStopped after \d+ requests\.\n$/);
  assert.equal(await deployment.countSessions(), 0);
});

test('janua selftest finds nothing wrong with the demo', async () => {
  await using workplace = await createWorkplace();
  const server = await workplace.start(['demo']);
  server.process.stdout.resume();
  const against = server.url.replace('127.0.0.1', 'localhost');
  const args = ['selftest', '--against', against, '--user', 'behai_nguyen@hotmail.com', '--throttle'];
  const { code, stdout } = await workplace.run(args, { input: 'password' });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /Plain HTTP on this machine alone is fine for a demo/);
  assert.match(stdout, /The cookie session is HttpOnly, SameSite, and for this host only/);
  assert.match(stdout, /\nNothing is wrong; no warnings\.\n/);
  await server.stop();
});

describe('janua selftest does not start', () => {
  const refused: [title: string, args: readonly string[], stderr: RegExp, env?: Record<string, string>][] = [
    ['without an address', [], /required option '--against <url>' not specified/],
    ['with a path', ['--against', 'https://auth.example.com/login'], /^--against must be an http or https address/],
    ['with a user and no password', ['--against', 'http://localhost:1', '--user', 'x'], /^Give the password of --user/],
    [
      'with a file that holds no certificate',
      ['--against', 'https://localhost:1', '--ca', 'empty'],
      /^--ca must be a readable file/,
    ],
    [
      'with a missing certificate file',
      ['--against', 'https://localhost:1', '--ca', 'nothing'],
      /^--ca must be a readable file/,
    ],
    [
      'with a file that this account may not read',
      ['--against', 'https://localhost:1', '--ca', 'closed.pem'],
      /^--ca: The account \S+ may not read \S+closed\.pem\.\n/,
      shutting('closed.pem'),
    ],
    ['with an invalid timeout', ['--against', 'https://localhost:1', '--timeout', '0'], /^--timeout must be a whole/],
    [
      'with an invalid port',
      ['--against', 'https://localhost:1', '--http-port', '70000'],
      /^--http-port must be a whole/,
    ],
  ];
  for (const [title, args, expected, env = {}] of refused) {
    test(title, async () => {
      const { workplace } = deployment;
      for (const name of ['empty', 'closed.pem']) await writeFile(join(workplace.folder, name), '');
      const { code, stdout, stderr } = await workplace.run(['selftest', ...args], { env });
      assert.notEqual(code, 0);
      assert.match(stderr, expected);
      assert.equal(stdout, '');
    });
  }

  test('janua selftest says that the server does not answer, and ends', async () => {
    const { code, stdout } = await deployment.workplace.run(['selftest', '--against', 'http://localhost:1']);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /^wrong {4}reach {10}GET \/auth\/login gets no response: no program listens there\.\n +Fix: Start /,
    );
  });
});
