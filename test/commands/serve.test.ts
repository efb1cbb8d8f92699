import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSettings, requireSafeExposure } from '../../src/ground/config/load.ts';
import { startRefusingPostgres } from '../servers/refusing-postgres.ts';
import { createMigratedWorkplace, createWorkplace, type Running, shutting } from './janua-command.ts';

describe('janua serve does not start', () => {
  const refused: [name: string, env: Record<string, string>, stderr: RegExp][] = [
    [
      'beyond loopback without a public URL',
      { HOST: '0.0.0.0' },
      /^PUBLIC_URL must be set when HOST is reachable from other machines\..*\nHOST must be this machine alone.*\n$/,
    ],
    [
      'with plain HTTP beyond loopback',
      { PUBLIC_URL: 'http://auth.example.com' },
      /^PUBLIC_URL must be https.*ALLOW_PLAIN_HTTP=on overrides this\.\n$/,
    ],
    [
      'with a path in the public URL',
      { PUBLIC_URL: 'https://auth.example.com/x' },
      /^PUBLIC_URL must be an http or https address without a path/,
    ],
    [
      'with a scheme other than http or https',
      { PUBLIC_URL: 'ftp://auth.example.com' },
      /^PUBLIC_URL must be an http or https address/,
    ],
    ['with an invalid port', { PORT: '70000' }, /^PORT must be a whole number from 0 to 65535\.\n$/],
    ['with an invalid switch', { DOCS: 'yes' }, /^DOCS must be on or off\.\n$/],
    [
      'with an unknown kind of database',
      { DATABASE_URL: 'oracle://me:canary@db/x' },
      /^DATABASE_URL must be sqlite: and a path.*\n$/,
    ],
    [
      'with a file in place of a folder',
      { DATABASE_URL: 'sqlite:/dev/null/janua.db' },
      /^DATABASE_URL: there is no such file yet\. Run: \.\/bin\/janua migrate\n$/,
    ],
    [
      'with a file that this account may not look for',
      shutting('janua.db'),
      /^DATABASE_URL: the account \S+ may not open the file\. Run this as the account of the server, such as by janua-admin\. Or give the folder of the file, such as the volume of a container, to the account: chown\.\n$/,
    ],
    [
      'with a folder in place of a file',
      { DATABASE_URL: 'sqlite:/proc' },
      /^DATABASE_URL: the file cannot be opened for writing \(.*\)\.\n$/,
    ],
    [
      'with a host address of another machine',
      { HOST: '192.0.2.1', PUBLIC_URL: 'https://a.example', ALLOW_PLAIN_HTTP: 'on' },
      /^HOST 192\.0\.2\.1 is not an address of this machine\.\n$/,
    ],
    ['with a missing theme file', { THEME_FILE: './nothing.css' }, /^THEME_FILE: the file cannot be read.*\n$/],
  ];
  for (const [name, env, expected] of refused) {
    test(name, async () => {
      await using workplace = await createMigratedWorkplace();
      // One of them shows that the process ends.
      const alone = env === refused[0]?.[1];
      const { code, stderr, stdout } = await workplace.run(['serve'], { env, alone });
      assert.equal(code, 2, stderr);
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr + stdout, /\bat .*:\d+|canary/);
    });
  }

  test('with several faults, and names them all at once', async () => {
    await using workplace = await createWorkplace();
    const env = {
      PORT: 'x',
      DOCS: 'x',
      SESSION_IDLE_SECONDS: '5',
      PUBLIC_URL: 'x',
      CORS_ORIGINS: '*',
      THEME_FILE: '/',
    };
    const { stderr } = await workplace.run(['serve'], { env });
    assert.equal(stderr.trim().split('\n').length, 6, stderr);
  });

  test('on a busy port', async () => {
    await using workplace = await createMigratedWorkplace();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { code, stderr } = await workplace.run(['serve'], { env: { PORT: String(port) }, alone: true });
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`^Port ${port} is in use already\\..*\n$`));
    other.close();
  });

  for (const workers of ['1', '2']) {
    test(`with an account that the database refuses, which ${workers} workers tell once, with advice`, async () => {
      await using workplace = await createWorkplace();
      await using database = await startRefusingPostgres('28P01');
      const DATABASE_URL = `postgres://janua:canary@${database.address}`;
      const env = { DATABASE_URL, ENCRYPTION_KEY_FILE: 'key', WORKERS: workers };
      const { code, stdout, stderr } = await workplace.run(['serve'], { env, alone: workers === '2' });
      assert.deepEqual([code, stdout], [2, '']);
      assert.equal(
        stderr,
        'DATABASE_URL: The database refuses it (no). Correct USER:PASSWORD in DATABASE_URL (special characters as %40), ' +
          'or allow the account to connect from this host.\n',
      );
    });
  }

  test('with a file that is not a database', async () => {
    await using workplace = await createWorkplace();
    await writeFile(
      join(workplace.folder, 'janua.db'),
      'this is a text, and not a database at all, whatever its name says',
    );
    const { code, stderr } = await workplace.run(['serve'], { env: { DATABASE_URL: 'sqlite:./janua.db' } });
    assert.equal(code, 2);
    assert.match(stderr, /^DATABASE_URL: the file cannot be opened for writing \(.*\)\.\n$/);
  });
});

test('demo users cannot sign in to janua serve, even if a demo adds them to the same file', async () => {
  await using workplace = await createMigratedWorkplace();
  const server = await workplace.start(['serve']);
  const demo = await workplace.start(['demo']);
  const body = new URLSearchParams({ username: 'behai_nguyen@hotmail.com', password: 'password' });
  const logIn = async (url: string) => (await fetch(`${url}/api/login`, { method: 'POST', body })).status;
  assert.equal(await logIn(demo.url), 200);
  assert.equal(await logIn(server.url), 400);
  await workplace.run(['users', 'enable', 'behai_nguyen@hotmail.com']);
  assert.equal(await logIn(server.url), 400);
  assert.match((await workplace.run(['users', 'list'])).stdout, /behai_nguyen@hotmail\.com +Be Hai Doe +demo only/);
  await Promise.all([server.stop(), demo.stop()]);
});

test('janua serve starts on loopback, and beyond it with ALLOW_PLAIN_HTTP', async () => {
  await using workplace = await createMigratedWorkplace();
  const safe = [
    { HOST: '127.0.0.1', PUBLIC_URL: 'https://auth.example.com' },
    { PUBLIC_URL: 'http://localhost:8080' },
    { HOST: '0.0.0.0', PUBLIC_URL: 'https://auth.example.com', ALLOW_PLAIN_HTTP: 'on' },
  ];
  for (const env of safe) requireSafeExposure(loadSettings({}, env), 'serve');
  for (const env of [{ HOST: '0.0.0.0', PUBLIC_URL: 'http://auth.example.com', ALLOW_PLAIN_HTTP: 'on' }]) {
    const server = await workplace.start(['serve'], env);
    assert.equal((await fetch(`${server.url}/health/ready`)).status, 200);
    await server.stop();
  }
});

for (const workers of ['1', '2']) {
  test(`with ${workers} workers, the log warns once of each misspelt setting, and the server goes on`, async () => {
    await using workplace = await createMigratedWorkplace();
    const other = { SMTP_HOST: 'x', TRUSTED_PROXY: 'x', HOSTS: 'x' };
    const env = { ...other, MAIL_FORM: 'x', LOGIN_NOTICE: 'canary', JANUA_SETTINGS: 'PORT LOGIN_NOTICE DATABASE' };
    const server = await workplace.start(['serve'], { ...env, WORKERS: workers });
    const lines = server.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const told = lines.filter(({ event }) => event === 'setting_unknown');
    assert.deepEqual(
      told.map(({ setting, msg }) => [setting, msg]),
      [
        [
          'LOGIN_NOTICE',
          'LOGIN_NOTICE is not a setting of Janua, which ignores it. If you mean LOGIN_NOTICES, rename it.',
        ],
        [
          'DATABASE',
          'DATABASE is not a setting of Janua, which ignores it. Remove it. All settings: ./bin/janua serve --help',
        ],
        ['MAIL_FORM', 'MAIL_FORM is not a setting of Janua, which ignores it. If you mean MAIL_FROM, rename it.'],
      ],
    );
    assert.doesNotMatch(server.output, /canary/);
    assert.equal((await fetch(`${server.url}/health/ready`)).status, 200);
    await server.stop();
  });
}

test('the server finishes the requests under way before it stops', async () => {
  await using workplace = await createMigratedWorkplace();
  const secret = 'correct horse battery';
  await workplace.run(['users', 'add', 'ann@example.com', '--first-name', 'A', '--last-name', 'B'], { input: secret });
  const server = await workplace.start(['serve'], { LOG_LEVEL: 'debug' });
  const logins = Array.from({ length: 8 }, () =>
    fetch(`${server.url}/api/login`, {
      method: 'POST',
      body: new URLSearchParams({ username: 'ann@example.com', password: secret }),
    }),
  );
  // A connection that the server has not accepted yet is reset when the server closes its port.
  let arrived = 0;
  for await (const line of createInterface({ input: server.process.stdout })) {
    if (line.includes('"incoming request"')) arrived += 1;
    if (arrived === logins.length) break;
  }
  const stopping = server.stop();
  for (const login of logins) assert.equal((await login).status, 200);
  assert.equal(await stopping, 0);
});

test('the server writes only to the database and to standard output', async () => {
  await using workplace = await createMigratedWorkplace();
  const server = await workplace.start(['serve']);
  await fetch(`${server.url}/api/login`, {
    method: 'POST',
    body: new URLSearchParams({ username: 'a', password: 'b' }),
  });
  const open = `/proc/${server.process.pid}/fd`;
  const written: string[] = [];
  for (const descriptor of await readdir(open)) {
    const path = await readlink(join(open, descriptor)).catch(() => '');
    // The last two bits tell whether the descriptor is open for writing.
    const flags = /^flags:\s+([0-7]+)/m.exec(
      await readFile(`/proc/${server.process.pid}/fdinfo/${descriptor}`, 'utf8').catch(() => ''),
    );
    if (/^\/(?!dev\/(?!shm\/))/.test(path) && (Number.parseInt(flags?.[1] ?? '0', 8) & 3) !== 0)
      written.push(basename(path));
  }
  assert.deepEqual([...new Set(written)].sort(), ['janua.db', 'janua.db-shm', 'janua.db-wal']);
  await server.stop();
});

test('a server that is killed leaves its compiled code for the next start', async () => {
  await using workplace = await createMigratedWorkplace();
  const compiled = join(workplace.folder, 'compiled');
  const server = await workplace.start(['serve'], { NODE_COMPILE_CACHE: compiled });
  // It answers only once it has written.
  assert.equal((await fetch(`${server.url}/health/ready`)).status, 200);
  await server.stop('SIGKILL');
  assert.ok((await readdir(compiled, { recursive: true })).length > 100);
});

for (const WORKERS of ['1', '2'])
  test(`with --migrate, servers of ${WORKERS} that start at once on an empty database both serve`, async () => {
    await using workplace = await createWorkplace();
    const servers = await Promise.all([1, 2].map(() => workplace.start(['serve', '--migrate'], { WORKERS })));
    for (const { url } of servers) assert.equal((await fetch(`${url}/health/ready`)).status, 200);
    for (const server of servers) await server.stop();
    // Once more, on tables that are there.
    const again = await workplace.start(['serve', '--migrate'], { WORKERS });
    assert.equal((await fetch(`${again.url}/api/login`, { method: 'POST' })).status, 400);
    await again.stop();
  });

for (const WORKERS of ['1', '2'])
  test(`with --migrate, a server of ${WORKERS} logs the link of the first administrator until there is one`, async () => {
    await using workplace = await createWorkplace();
    const PUBLIC_URL = 'http://localhost:5000';
    const start = (...more: string[]) => workplace.start(['serve', ...more], { WORKERS, PUBLIC_URL });
    const link = /http:\/\/localhost:5000(\/auth\/first-administrator\?token=[\w-]{43})/;
    const linkOf = (server: Running) => link.exec(server.output)?.[1];
    const first = await start('--migrate');
    await first.stop('SIGKILL');
    const [old = '', second] = [linkOf(first), await start('--migrate')];
    const path = linkOf(second) ?? assert.fail(second.output);
    const origin = `http://localhost:${new URL(second.url).port}`;
    assert.equal((await fetch(origin + old)).status, 410);
    assert.equal((await fetch(origin + path)).status, 200);
    await second.stop();
    const plain = await start();
    assert.equal(linkOf(plain), undefined);
    await plain.stop();
    const input = 'correct horse battery';
    const details = ['--first-name', 'A', '--last-name', 'B', '--group', 'admins'];
    assert.equal((await workplace.run(['users', 'add', 'ann@example.com', ...details], { input })).code, 0);
    const third = await start('--migrate');
    assert.equal(linkOf(third), undefined);
    assert.equal((await fetch(`http://localhost:${new URL(third.url).port}${path}`)).status, 410);
    await third.stop();
  });

test('janua health tells whether the server is ready', async () => {
  await using workplace = await createMigratedWorkplace();
  const server = await workplace.start(['serve']);
  const program = fileURLToPath(new URL('../../bin/janua.mjs', import.meta.url));
  const ask = async () => {
    const asked = spawn(process.execPath, [program, 'health'], { env: { PORT: new URL(server.url).port } });
    const [stderr, [code]] = await Promise.all([text(asked.stderr), once(asked, 'exit')]);
    return { code, stderr };
  };
  assert.deepEqual(await ask(), { code: 0, stderr: '' });
  await server.stop();
  const { code, stderr } = await ask();
  assert.equal(code, 1);
  assert.match(stderr, /^no server answers at 127\.0\.0\.1, port \d+: /);
});

test('the log holds no password, cookie, token or query string', async () => {
  await using workplace = await createMigratedWorkplace();
  const secret = 'canary horse battery';
  await workplace.run(['users', 'add', 'ann@example.com', '--first-name', 'A', '--last-name', 'B'], { input: secret });
  const server = await workplace.start(['serve'], { LOG_LEVEL: 'trace' });
  let log = '';
  server.process.stdout.on('data', (chunk) => {
    log += chunk;
  });
  const answer = await fetch(`${server.url}/api/login?password=canary-in-query`, {
    method: 'POST',
    body: new URLSearchParams({ username: 'ann@example.com', password: secret }),
  });
  assert.equal(answer.status, 400);
  const login = await fetch(`${server.url}/api/login`, {
    method: 'POST',
    body: new URLSearchParams({ username: 'ann@example.com', password: secret }),
  });
  const { access_token: token } = (await login.json()) as { access_token: string };
  const cookies = login.headers.getSetCookie().map((cookie) => cookie.split(/[=;]/)[1] ?? '');
  await fetch(`${server.url}/api/me`, {
    headers: { authorization: `Bearer ${token}`, cookie: `session=${cookies[0]}` },
  });
  await fetch(`${server.url}/api/login`, {
    method: 'POST',
    body: new URLSearchParams({ username: 'canary@example.com\r\n\u001b[31m', password: 'canary' }),
  });
  await server.stop();
  assert.match(log, /request completed/);
  for (const text of [secret, 'canary', token, token.split('.')[1] ?? '', ...cookies])
    assert.ok(!log.includes(text), text);
  for (const line of log.trim().split('\n')) JSON.parse(line);
});

test('with a client, memory stays small after the first authorization', async () => {
  await using workplace = await createMigratedWorkplace();
  const redirectUri = 'https://wiki.example.com/callback';
  const added = await workplace.run(['clients', 'add', '--name', 'Wiki', '--redirect-uri', redirectUri, '--json']);
  const { client_id = '' } = JSON.parse(added.stdout.trim().split('\n').at(-1) ?? '{}');
  const server = await workplace.start(['serve']);
  const query = new URLSearchParams({
    client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  });
  const answer = await fetch(`${server.url}/oidc/auth?${query}`, { redirect: 'manual' });
  assert.match(answer.headers.get('location') ?? '', /^\/auth\/login\?state=2&next=%2Foidc%2Fauth/);
  // The budget is 120 MB, but memory differs.
  if (process.platform === 'linux') {
    const status = await readFile(`/proc/${server.process.pid}/status`, 'utf8');
    const resident = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) / 1000;
    assert.ok(resident < 200, `${resident} MB`);
  }
  await server.stop();
});
