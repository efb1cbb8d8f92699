import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { codeOf } from '../capabilities/second-factor/authenticator-app.ts';
import { findProgram } from '../servers/find-program.ts';
import { createMigratedWorkplace, type Workplace } from './janua-command.ts';

const secret = 'correct horse battery';

const addAnn = (workplace: Workplace) =>
  workplace.run(['users', 'add', 'Ann@Example.com', '--first-name', 'Ann', '--last-name', 'Archer'], {
    input: `${secret}\n`,
  });

const logIn = async (url: string, password: string) => {
  const body = new URLSearchParams({ username: 'ann@example.com', password });
  const answer = await fetch(`${url}/api/login`, { method: 'POST', body });
  return { status: answer.status, token: ((await answer.json()) as { access_token?: string }).access_token };
};

test('a user is added, listed, changed and removed while the server runs', async () => {
  await using workplace = await createMigratedWorkplace();
  const added = await addAnn(workplace);
  assert.deepEqual(added, { code: 0, stdout: 'Added ann@example.com.\n', stderr: '' });
  const { url, stop } = await workplace.start(['serve']);
  const isIn = async (token: string | undefined) =>
    (await fetch(`${url}/api/me`, { headers: { authorization: `Bearer ${token}` } })).status === 200;

  const first = await logIn(url, secret);
  assert.ok(await isIn(first.token));

  const changed = await workplace.run(['users', 'set-password', 'ANN@example.com'], { input: `another ${secret}` });
  assert.equal(changed.code, 0);
  assert.equal(await isIn(first.token), false);
  assert.equal((await logIn(url, secret)).status, 400);
  const second = await logIn(url, `another ${secret}`);
  assert.ok(await isIn(second.token));

  assert.equal((await workplace.run(['users', 'disable', 'ann@example.com'])).code, 0);
  assert.equal(await isIn(second.token), false);
  assert.equal((await logIn(url, `another ${secret}`)).status, 400);
  assert.match(
    (await workplace.run(['users', 'list'])).stdout,
    /^USER .*\nann@example\.com +Ann Archer +disabled +\d{4}-\d\d-\d\d\n$/,
  );

  assert.equal((await workplace.run(['users', 'enable', 'ann@example.com'])).code, 0);
  assert.equal(await isIn(second.token), false, 'enabling the user does not revive the session');
  const third = await logIn(url, `another ${secret}`);
  const listed = JSON.parse((await workplace.run(['users', 'list', '--json'])).stdout);
  assert.equal(listed.username, 'ann@example.com');
  assert.doesNotMatch(JSON.stringify(listed), /argon2/);

  assert.equal((await workplace.run(['users', 'remove', 'ann@example.com'])).code, 0);
  assert.equal(await isIn(third.token), false);
  assert.match((await workplace.run(['users', 'list'])).stdout, /There are no users yet/);
  await stop();
});

test('an address is verified by a word of the operator, which the audit explains', async () => {
  await using workplace = await createMigratedWorkplace();
  await addAnn(workplace);
  const name = ['--first-name', 'B', '--last-name', 'B', '--verified'];
  await workplace.run(['users', 'add', 'bob@example.com', ...name], { input: secret });
  const verified = async () =>
    (await workplace.run(['users', 'list', '--json'])).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).addressVerified);
  assert.deepEqual(await verified(), [false, true]);
  const { stdout } = await workplace.run(['users', 'verify', 'ANN@example.com']);
  assert.equal(stdout, 'The address of the user counts as verified.\n');
  assert.deepEqual(await verified(), [true, true]);
  const events = (await workplace.run(['audit', '--json', '--kind', 'address-verified'])).stdout.trim().split('\n');
  assert.deepEqual(
    events.map((line) => JSON.parse(line).caller.route),
    ['janua users add', 'janua users verify'],
  );
  const unknown = await workplace.run(['users', 'verify', 'eve@example.com']);
  assert.deepEqual([unknown.code, unknown.stderr], [1, 'There is no user with that name.\n']);
});

test('a refused change prints one line, and changes nothing', async () => {
  await using workplace = await createMigratedWorkplace();
  await addAnn(workplace);
  const name = ['--first-name', 'A', '--last-name', 'B'];
  for (const [args, input, expected] of [
    [['users', 'add', 'ann@example.com', ...name], secret, /^There is already a user with that name\.\n$/],
    [['users', 'add', 'bob', ...name], secret, /^A username must be one e-mail address/],
    [['users', 'add', 'bob@example.com', ...name], 'short', /^A password must have at least 15 characters/],
    [['users', 'add', 'bob@example.com', ...name], '', /^A password must have at least 15 characters/],
    [['users', 'set-password', 'bob@example.com'], secret, /^There is no user with that name\.\n$/],
    [['users', 'disable', 'bob@example.com'], '', /^There is no user with that name\.\n$/],
    [['users', 'remove', ''], '', /^There is no user with that name\.\n$/],
  ] as const) {
    const { code, stderr, stdout } = await workplace.run(args, { input });
    assert.equal(code, 1, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, expected);
  }
  assert.equal((await workplace.run(['users', 'list', '--json'])).stdout.trim().split('\n').length, 1);
});

test('the factors of a user are listed and removed, and a link to add one is printed', async () => {
  await using workplace = await createMigratedWorkplace();
  await addAnn(workplace);
  const { url, stop } = await workplace.start(['serve'], { SECOND_FACTOR: 'required' });
  assert.equal((await logIn(url, secret)).status, 403);
  const none = await workplace.run(['users', 'factors', 'ann@example.com']);
  assert.equal(none.stdout, 'The user has no second factor.\n');

  const link = await workplace.run(['users', 'enrolment-link', 'Ann@example.com'], {
    env: { PUBLIC_URL: 'https://auth.example.com' },
  });
  const [, token = ''] =
    /^https:\/\/auth\.example\.com\/auth\/enrol-factor\?token=([\w-]{43})\n$/.exec(link.stdout) ?? [];
  assert.ok(token, link.stdout + link.stderr);
  const send = async (path: string, fields: Record<string, string>) => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', body: new URLSearchParams(fields) });
    assert.equal(answer.status, 200);
    return (await answer.json()) as Record<string, string>;
  };
  const { secret: appSecret = '' } = await send('/api/enrol-factor/begin', { token });
  await send('/api/enrol-factor', { token, code: codeOf(appSecret, Date.now()) });

  const listed = await workplace.run(['users', 'factors', 'ann@example.com']);
  assert.match(listed.stdout, /^KIND .*\napp +authenticator app +20\d\d-.*\ncodes +10 recovery codes\n$/);
  const [app] = (await workplace.run(['users', 'factors', 'ann@example.com', '--json'])).stdout.split('\n');
  assert.equal(JSON.parse(app ?? '').kind, 'app');
  const second = await workplace.run(['users', 'enrolment-link', 'ann@example.com']);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^The user has a second factor/);

  const removed = await workplace.run(['users', 'remove-factors', 'ann@example.com']);
  assert.match(removed.stdout, /^The second factors are removed/);
  assert.equal((await workplace.run(['users', 'factors', 'ann@example.com'])).stdout, none.stdout);
  for (const command of ['factors', 'remove-factors', 'enrolment-link']) {
    const { code, stderr } = await workplace.run(['users', command, 'bob@example.com']);
    assert.deepEqual([code, stderr], [1, 'There is no user with that name.\n']);
  }
  const { stdout } = await workplace.run(['audit', '--json', '--user', 'ann@example.com']);
  for (const kind of ['enrolment-demanded', 'enrolment-link-made', 'factor-added', 'factors-removed'])
    assert.match(stdout, new RegExp(`"kind":"${kind}"`));
  await stop();
});

test('janua users add takes no password as an argument', async () => {
  await using workplace = await createMigratedWorkplace();
  const name = ['--first-name', 'A', '--last-name', 'B'];
  for (const more of [['--password', secret], [secret]]) {
    const { code, stderr } = await workplace.run(['users', 'add', 'bob@example.com', ...name, ...more], {
      input: secret,
    });
    assert.notEqual(code, 0);
    assert.doesNotMatch(stderr, /\bat .*:\d+/);
  }
});

test('every command has --help', async () => {
  await using workplace = await createMigratedWorkplace();
  for (const args of [
    [],
    ['demo'],
    ['serve'],
    ['users'],
    ...[
      'add',
      'list',
      'set-password',
      'disable',
      'enable',
      'remove',
      'factors',
      'remove-factors',
      'enrolment-link',
    ].map((name) => ['users', name]),
  ]) {
    const { code, stdout } = await workplace.run([...args, '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: janua/);
  }
  assert.match((await workplace.run(['serve', '--help'])).stdout, /PUBLIC_URL/);
  assert.match((await workplace.run(['help', 'clients', 'add'])).stdout, /^Usage: janua clients add /);
  for (const asked of ['version', '--version', '-v'])
    assert.match((await workplace.run([asked])).stdout, /^\d+\.\d+\.\d+\n$/);
});

test('a command ends as a process of its own, with an exit code, and complains at standard error alone', async () => {
  await using workplace = await createMigratedWorkplace();
  const lists = ['users', 'groups', 'clients', 'throttle', 'mail'].map((name) => [name, 'list']);
  for (const [expected, ...commands] of [
    [0, ...lists, ['keys', 'rotate', 'browser-cookie'], ['config']],
    [1, ['explain', 'x'], ['nothing']],
    [2, ['sessions', 'list']],
  ] as const)
    for (const args of commands) {
      const { code, stdout, stderr } = await workplace.run(args, { alone: true });
      assert.equal(code, expected, args.join(' '));
      assert.deepEqual([stdout !== '', stderr !== ''], [expected === 0, expected !== 0], args.join(' '));
    }
});

test('an unknown command or option gets a short error and a hint', async () => {
  await using workplace = await createMigratedWorkplace();
  for (const args of [['nothing'], ['serve', '--port', '1'], ['users', 'nothing'], ['users', 'add']]) {
    const { code, stderr } = await workplace.run(args);
    assert.equal(code, 1);
    assert.match(stderr, /^error: .*\n/);
    assert.doesNotMatch(stderr, /\bat .*:\d+/);
  }
});

test('JSON lists escape control characters for a terminal, and keep their value for a program', async () => {
  await using workplace = await createMigratedWorkplace();
  const name = 'evil \u202Egnp.exe \u{E0041} \u009B31m\u0085\u2028\u2029';
  await addAnn(workplace);
  // No command takes such a name now. An earlier version did.
  using database = new DatabaseSync(join(workplace.folder, 'data', 'janua.db'));
  database.prepare('UPDATE janua_users SET first_name = ?').run(name);
  const { stdout } = await workplace.run(['users', 'list', '--json']);
  assert.equal(JSON.parse(stdout).firstName, name);
  assert.match(stdout, /\\u202e/);
  assert.doesNotMatch(stdout.replace(/\n$/, ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
});

test('the audit names the account that ran a command with sudo', async () => {
  await using workplace = await createMigratedWorkplace();
  const names = ['--first-name', 'A', '--last-name', 'B'];
  await workplace.run(['users', 'add', 'ann@example.com', ...names], { input: secret, env: { SUDO_USER: 'ops' } });
  const event = JSON.parse((await workplace.run(['audit', '--json'])).stdout);
  assert.match(event.caller.operator, /^\S+ \(sudo: ops\)$/);
});

test('the prompt at a terminal names the minimum length of a password, and does not show the password', {
  skip: findProgram('script') === undefined,
}, async () => {
  await using workplace = await createMigratedWorkplace();
  const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
  const command = `"${process.execPath}" "${cli}" users add bob@example.com --first-name B --last-name B`;
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: workplace.folder,
    env: { PATH: process.env.PATH, TERM: 'xterm' },
    timeout: 60_000,
  });
  let shown = '';
  const prompts = [
    [/New password \(15 characters or more\): $/, 'too short'],
    [/must have at least 15 [\s\S]*New password \(15 characters or more\): $/, secret],
    [/The same again: $/, secret],
  ] as const;
  let typed = 0;
  terminal.stdout.on('data', (chunk) => {
    shown += chunk;
    const [prompt, answer] = prompts[typed] ?? [];
    if (!prompt?.test(shown)) return;
    typed += 1;
    terminal.stdin.write(`${answer}\r`);
  });
  assert.deepEqual(await once(terminal, 'exit'), [0, null], shown);
  assert.equal(typed, prompts.length);
  assert.match(shown, /Added bob@example\.com/);
  assert.ok(!shown.includes(secret));
});

test('users are invited and get resets by commands, as many as the operator wants', async () => {
  await using workplace = await createMigratedWorkplace();
  const mail = { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'janua@example.com', PUBLIC_URL: 'http://localhost:5000' };
  const run = (args: string[], env: Record<string, string> = mail) => workplace.run(['users', ...args], { env });
  const names = ['--first-name', 'Eve', '--last-name', 'Evans'];
  const refused = await run(['invite', 'eve@example.com', ...names], {});
  assert.deepEqual([refused.code, refused.stderr], [1, 'Set MAIL_URL first.\n']);
  const invited = await run(['invite', 'eve@example.com', ...names]);
  assert.deepEqual(invited, {
    ...{ code: 0, stdout: 'The user is added, and the server mails the invitation.\n', stderr: '' },
  });
  const twice = await run(['invite', 'eve@example.com', ...names]);
  assert.deepEqual([twice.code, twice.stderr], [1, 'There is already a user with that name.\n']);
  const again = await run(['send-reset', 'eve@example.com']);
  assert.equal(again.code, 1);
  assert.match(
    again.stderr,
    /^Too many mails: to that address, about that user, by you, or in all\. Wait a minute\.$/m,
  );
  await addAnn(workplace);
  const sent = await run(['send-reset', 'ann@example.com']);
  assert.deepEqual(sent, {
    ...{ code: 0, stdout: 'The server mails the link. It replaces the earlier ones.\n', stderr: '' },
  });
  const { stdout } = await workplace.run(['mail', 'list', '--json'], { env: mail });
  const mails = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    mails.map(({ purpose, address, party }) => [purpose, address, party]),
    [
      ['invitation', 'eve@example.com', 'user:operator'],
      ['reset-password', 'ann@example.com', 'user:operator'],
    ],
  );
});

test('users list shows the day of UTC, wherever the machine is', async () => {
  await using workplace = await createMigratedWorkplace();
  const names = ['--first-name', 'Ann', '--last-name', 'Archer'];
  await workplace.run(['users', 'add', 'ann@example.com', ...names], { input: 'a few words that nobody guesses' });
  // One of them has another day than UTC at any time.
  for (const TZ of ['Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
    const [before, { stdout }] = [new Date(), await workplace.run(['users', 'list'], { env: { TZ }, alone: true })];
    const days = [before, new Date()].map((time) => time.toISOString().slice(0, 10));
    assert.ok(
      days.some((day) => stdout.includes(day)),
      stdout,
    );
  }
});
