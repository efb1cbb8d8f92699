import assert from 'node:assert/strict';
import {
  type ChildProcessWithoutNullStreams,
  execFile,
  type SpawnOptionsWithoutStdio,
  spawn,
} from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseEnv, promisify, stripVTControlCharacters } from 'node:util';
import { nextSteps } from '../../src/commands/setup.ts';
import { commandWith } from '../../src/ground/config/own-command.ts';
import { startScriptedSmtp } from '../core/mail/scripted-smtp.ts';
import { findProgram } from '../servers/find-program.ts';
import { missing } from '../servers/missing.ts';
import { startRefusingPostgres } from '../servers/refusing-postgres.ts';
import { createDatabase, executeIn } from '../servers/shared.ts';
import { createWorkplace, type Finished, type Workplace } from './janua-command.ts';

const password = 'a few words that nobody guesses';
const canary = 'canary@secret';

/** Every question by its option, except the files. As root, it works as root. */
const answers = {
  '--name': "O'Brien & $ons",
  '--public-url': 'https://localhost:8443/',
  '--database': 'sqlite:./janua.db',
  '--mail': 'none',
  '--admin': 'Ann@Example.com',
  '--first-name': 'Ann',
  '--last-name': 'Archer',
  '--admin-password-file': 'password',
};

const noSettings = { '--name': undefined, '--public-url': undefined, '--database': undefined };

type Answers = Readonly<Record<string, string | undefined>>;

async function openPlace() {
  const workplace = await createWorkplace();
  const { folder } = workplace;
  await writeFile(join(folder, 'password'), `${password}\n`);
  await writeFile(join(folder, 'canary'), `${canary}\n`);
  const settings = () => readFile(join(folder, 'janua.env'), 'utf8');
  return {
    workplace,
    settings,
    names: async () => (await readdir(folder)).filter((name) => !['password', 'canary'].includes(name)).toSorted(),
    setUp: (changed: Answers = {}, input = '') => setUp(workplace, { ...answers, ...changed }, input),
    run: async (...args: string[]) =>
      workplace.run(args, { env: parseEnv(await settings()) as Readonly<Record<string, string>> }),
    [Symbol.asyncDispose]: () => workplace[Symbol.asyncDispose](),
  };
}

function argumentsOf(chosen: Answers): string[] {
  const options = Object.entries(chosen).flatMap(([name, value]) =>
    value === undefined ? [] : value === '' ? [name] : [name, value],
  );
  return ['setup', '--settings-file', 'janua.env', '--account', 'root', ...options];
}

/** On a busy machine, `doctor` may find hashing too slow. The command ends like it. */
function assertDone({ code, stdout, stderr }: Finished): void {
  assert.match(
    stdout,
    /\nNext\. Begin every .*:\n {2}node --env-file=\S+\/janua\.env \S+\/bin\/janua\.mjs serve\n/,
    stderr,
  );
  assert.equal(code, /\nNothing is wrong; /.test(stdout) ? 0 : 1);
}

function openTerminal(chosen: Answers, options: SpawnOptionsWithoutStdio) {
  const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
  const words = [process.execPath, cli, ...argumentsOf(chosen)];
  const env = { PATH: process.env.PATH, TERM: 'xterm' };
  const command = words.map((word) => `"${word}"`).join(' ');
  return spawn('script', ['-qefc', command, '/dev/null'], { env, timeout: 60_000, ...options });
}

/** Types each answer when its question is on the screen. What was asked is gone from the list. */
async function type(
  terminal: ChildProcessWithoutNullStreams,
  answers: (readonly [question: RegExp, answer: string])[],
) {
  let screen = '';
  let since = '';
  const closed = once(terminal, 'close');
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    // Without what moves the cursor.
    since += stripVTControlCharacters(text);
    const [question, answer = ''] = answers[0] ?? [];
    if (!question?.test(since)) return;
    answers.shift();
    since = '';
    terminal.stdin.write(`${answer}\r`);
  });
  const [code] = await closed;
  return { code, screen };
}

const setUp = (workplace: Workplace, chosen: Answers, input: string) => workplace.run(argumentsOf(chosen), { input });

test('the next steps start the service only if it reads the settings', () => {
  for (const [file, database, command] of [
    ['/etc/janua/janua.env', 'sqlite:./janua.db', 'sudo systemctl enable --now janua janua-backup.timer'],
    ['/etc/janua/janua.env', 'postgres://localhost/janua', 'sudo systemctl enable --now janua'],
    ['/etc/janua/other.env', 'sqlite:./janua.db', 'node --env-file=/etc/janua/other.env .*/bin/janua.mjs serve'],
  ] as const)
    assert.match(nextSteps(commandWith(file), { DATABASE_URL: database }), new RegExp(`:\n  ${command}\n`));
});

test('the command with a settings file can be pasted into a shell, whatever the file is called', async () => {
  const file = '/a b/it\'s $& \\ ".env';
  const { stdout } = await promisify(execFile)('sh', ['-c', `printf '%s\\n' ${commandWith(file)}`]);
  assert.equal(stdout.split('\n')[1], `--env-file=${file}`);
});

describe('janua setup', () => {
  test('by options makes a server with settings, key, tables and administrator, and runs again without a change', async () => {
    await using place = await openPlace();
    const { code, stdout, stderr } = await place.setUp();
    assertDone({ code, stdout, stderr });
    assert.match(stdout, /the administrator Ann@Example\.com\.\n[\s\S]*warning {2}mail {11}Mail is off/i);
    const { JANUA_COMMAND, ...settings } = parseEnv(await place.settings());
    assert.match(JANUA_COMMAND ?? '', /^node --env-file=\S+\/janua\.env \S+\/bin\/janua\.mjs$/);
    assert.deepEqual(settings, {
      APP_NAME: "O'Brien & $ons",
      PUBLIC_URL: 'https://localhost:8443',
      TRUSTED_PROXIES: '127.0.0.1',
      DATABASE_URL: `sqlite:${join(place.workplace.folder, 'janua.db')}`,
    });
    const files = ['janua.db', 'janua.encryption-key', 'janua.env'];
    assert.deepEqual(await place.names(), files);
    for (const name of files) assert.equal((await stat(join(place.workplace.folder, name))).mode & 0o777, 0o600, name);
    const [user] = (await place.run('users', 'list', '--json')).stdout.split('\n');
    const { username, groups } = JSON.parse(user ?? '');
    assert.deepEqual([username, groups], ['ann@example.com', ['admins']]);

    const read = () =>
      Promise.all(
        ['janua.encryption-key', 'janua.env'].map((name) => readFile(join(place.workplace.folder, name), 'utf8')),
      );
    const before = await read();
    for (const other of [
      ...[{ '--name': 'Another' }, { '--public-url': 'ftp://x' }, { '--database': 'sqlite:./other.db' }],
      ...[{ '--key-file': 'key' }, { '--mail': 'smtp://127.0.0.1' }, { '--mail': undefined, '--mail-from': 'x' }],
    ]) {
      const { code, stderr } = await place.setUp(other);
      assert.equal(code, 2);
      const option = Object.keys(other).at(-1);
      assert.match(stderr, new RegExp(`^janua\\.env exists, and says something else than ${option}\\. Leave`));
    }
    const again = await place.setUp({ '--admin': 'bob@example.com', '--mail-from': 'not taken with --mail none' });
    assertDone(again);
    assert.match(
      again.stderr,
      /^janua\.env exists: its settings are used, and not changed\. Edit it, or move it away .*\n$/,
    );
    assert.match(
      again.stdout,
      /bob@example\.com was not added: node --env-file=\S+ \S+ users add bob@example\.com --first-name NAME --last-name NAME --group admins\n/,
    );
    assert.deepEqual(await read(), before);
    assert.doesNotMatch((await place.run('users', 'list')).stdout, /bob@/);
    assert.match(
      (await place.setUp()).stdout,
      /key\. Ann@Example\.com is an administrator already, and is not changed\.\n/,
    );
  });

  test('goes on after an interruption, with the settings that it has written', async () => {
    await using place = await openPlace();
    await writeFile(
      join(place.workplace.folder, 'janua.env'),
      "APP_NAME='The door'\nDATABASE_URL=sqlite:./other.db\nSMTP=x\n",
    );
    const { code, stdout, stderr } = await place.setUp(noSettings);
    assertDone({ code, stdout, stderr });
    assert.match(stdout, /SMTP is not a setting of Janua/);
    assert.deepEqual(await place.names(), ['janua.env', 'other.db', 'other.encryption-key']);
    assert.match((await place.run('users', 'list')).stdout, /ann@example\.com/);
  });

  test('leaves a user as they are, and says how to make them an administrator', async () => {
    await using place = await openPlace();
    const { workplace } = place;
    const env = { DATABASE_URL: 'sqlite:./janua.db' };
    const names = ['--first-name', 'Ann', '--last-name', 'A'];
    await workplace.run(['migrate'], { env });
    await workplace.run(['users', 'add', 'ann@example.com', ...names], { env, input: `another ${password}` });
    for (const [told, groups] of [
      [
        /a user already, and no administrator\. To change that: (node .* users groups Ann@Example\.com --add admins)\n/,
        [],
      ],
      [/ Ann@Example\.com is an administrator already, and is not changed\.\n/, ['admins']],
    ] as const) {
      const finished = await place.setUp();
      assertDone(finished);
      const [found, advised] = told.exec(finished.stdout) ?? [];
      assert.ok(found, finished.stdout);
      const [user = ''] = (await place.run('users', 'list', '--json')).stdout.split('\n');
      assert.deepEqual(JSON.parse(user).groups, groups);
      if (advised) await promisify(execFile)('sh', ['-c', advised], { cwd: workplace.folder });
      await rm(join(workplace.folder, 'janua.env'));
    }
  });

  test('says what is done and what is missing, and goes on where it stopped', async () => {
    await using place = await openPlace();
    const file = join(place.workplace.folder, 'janua.env');
    await writeFile(file, 'DATABASE_URL=sqlite:./janua.db\nENCRYPTION_KEY_FILE=later/key\n');
    const { code, stderr } = await place.setUp(noSettings);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /\nDone: settings, tables\. Missing: encryption key, administrator\. .* run the same command again\.\nEncryption is unavailable: .*ENOENT/,
    );
    await mkdir(join(place.workplace.folder, 'later'));
    assertDone(await place.setUp(noSettings));
    assert.deepEqual(await readdir(join(place.workplace.folder, 'later')), ['key']);
  });

  test('words the refusal of a database server for what was asked', async () => {
    await using place = await openPlace();
    for (const [state, expected] of [
      ['28P01', 'refuses the account or its password. Correct the account or its password, or allow the account'],
      [
        '3D000',
        'cannot be used: the server has no database of that name. Correct the name after the host in the address,',
      ],
    ] as const) {
      await using server = await startRefusingPostgres(state);
      const database = { '--database': `postgres://janua@${server.address}`, '--database-password-file': 'canary' };
      const { stderr } = await place.setUp(database);
      assert.ok(stderr.startsWith(`--database: The database (postgres://${server.address}) ${expected}`), stderr);
      assert.deepEqual(server.passwords, [canary]);
    }
  });

  test('makes no new key where the database has secrets of a lost one', async () => {
    await using place = await openPlace();
    await place.setUp();
    using database = new DatabaseSync(join(place.workplace.folder, 'janua.db'));
    database.exec("insert into janua_signing_keys values ('x', 'RS256', '1.abc', 0, null)");
    await rm(join(place.workplace.folder, 'janua.encryption-key'));
    const { code, stderr } = await place.setUp();
    assert.equal(code, 1);
    assert.match(stderr, /The encryption key is missing, but the database has secrets/);
    assert.ok(!(await place.names()).includes('janua.encryption-key'));
  });

  test('takes answers from standard input, tries the mail server, and sends a test mail', async () => {
    await using place = await openPlace();
    await using smtp = await startScriptedSmtp();
    const lines = [
      ...['', 'http://localhost:5821', 'sqlite:./new/janua.db', `smtp://janua@127.0.0.1:${smtp.port}`, canary, ''],
      ...['ann@example.com', 'Ann', 'Archer', password, ''],
    ];
    const none = Object.fromEntries(Object.keys(answers).map((name) => [name, undefined]));
    const { code, stdout, stderr } = await place.setUp(
      { ...none, '--key-file': 'new/key' },
      lines.map((line) => `${line}\n`).join(''),
    );
    assertDone({ code, stdout, stderr });
    assert.match(stdout, /\n {2}Open the address/);
    assert.match(stderr, /^The mail server took a mail to ann@example\.com\./);
    assert.deepEqual(
      smtp.received.map(({ to }) => to),
      [['ann@example.com']],
    );
    assert.match(smtp.received[0]?.data ?? '', /^Subject: Test mail from Janua$/m);
    const { PORT, MAIL_URL, MAIL_FROM } = parseEnv(await place.settings());
    assert.deepEqual(
      [PORT, MAIL_URL, MAIL_FROM],
      ['5821', `smtp://janua:canary%40secret@127.0.0.1:${smtp.port}`, 'no-reply@localhost'],
    );
    assert.doesNotMatch(stdout + stderr, /canary|nobody guesses/);
    const same = { '--public-url': 'http://localhost:5821/', '--mail': `smtp://janua@127.0.0.1:${smtp.port}` };
    assertDone(await place.setUp({ ...none, ...same }));
  });

  test('refuses an answer that cannot work, and then changes nothing', async () => {
    await using place = await openPlace();
    await using smtp = await startScriptedSmtp();
    smtp.direct((command) => (command.startsWith('AUTH') ? { answer: '535 who are you' } : undefined));
    const mail = { '--mail': `smtp://janua@127.0.0.1:${smtp.port}`, '--mail-password-file': 'canary' };
    const cases: readonly [Answers, RegExp][] = [
      [
        { '--name': `Ann's "Shop"`, '--public-url': 'x' },
        /^--name: APP_NAME must be one line\. With a single quote, it must/,
      ],
      [
        { '--name': "Ann's \\ é", '--public-url': 'x' },
        /^--name: APP_NAME .* neither double quotes nor backslashes\.$/m,
      ],
      [{ '--database': `sqlite:./'".db`, '--mail': 'x' }, /^--database: DATABASE_URL must be one line/],
      [{ '--public-url': 'http://auth.example.com' }, /^--public-url: PUBLIC_URL must be https/],
      [
        { '--public-url': 'https://localhost/login' },
        /^--public-url: PUBLIC_URL must be an http or https address without/,
      ],
      [{ '--public-url': undefined }, /^--public-url: PUBLIC_URL must be set/],
      [{ '--last-name': undefined, '--first-name': undefined }, /^--first-name: It must not be empty/],
      [
        { '--admin-password-file': 'canary', '--first-name': 'X' },
        /^--admin-password-file: A password must have at least/,
      ],
      [{ '--database': undefined, '--mail': 'x' }, /^--database: DATABASE_URL must be sqlite:/],
      [{ '--database': 'sqlite:~/x.db' }, /^--database: Write the path in full/],
      [{ '--database': 'sqlite::memory:' }, /^--database: This would be gone with the process/],
      [{ '--database': 'oracle://x' }, /^--database: DATABASE_URL must be sqlite:/],
      [
        { '--database': 'sqlite:/proc/janua.db' },
        /^--database: The account \S+ cannot write to \/proc \(ENOENT\)\. Choose/,
      ],
      [
        { '--database': 'postgres://janua@127.0.0.1:1/x', '--database-password-file': 'canary' },
        /^--database: The database \(postgres:\/\/127\.0\.0\.1:1\/x\) cannot be reached/,
      ],
      [{ '--database': 'postgres://janua:canary@127.0.0.1/x' }, /^--database: The password must not be in an argument/],
      [{ '--mail': 'smtp://janua:canary@127.0.0.1' }, /^--mail: The password must not be in an argument/],
      [mail, /^--mail: The mail server cannot be used: Invalid login: 535 who are you/],
      [{ ...mail, '--mail-password-file': '/dev/null' }, /^--mail: The password is missing\. Without an account, use/],
      [{ '--mail': 'imap://x' }, /^--mail: MAIL_URL must be smtp:/],
      [{ '--admin': 'ann' }, /^--admin: It must be one address/],
      [{ '--last-name': ' ' }, /^--last-name: It must not be empty/],
      [{ '--database': 'postgres://127.0.0.1/x?user=u&password=canary' }, /must not be in an argument/],
      [{ '--admin-password-file': 'none' }, /^--admin-password-file: the file cannot be read \(ENOENT\)/],
      [
        { '--admin-password-file': undefined },
        /^Standard input, without --admin-password-file: A password must have at least/,
      ],
      [
        { '--key-file': 'nowhere/key' },
        /^--key-file: The account \S+ cannot write to \S+\/nowhere \(ENOENT\)\. Choose/,
      ],
      [{ '--settings-file': 'nowhere/janua.env' }, /^nowhere\/janua\.env cannot be written\. Make its folder/],
      [
        { '--settings-file': '.' },
        /^\. cannot be read \(EISDIR\)\. Run this as root, or name another file: --settings-file/,
      ],
    ];
    const folders = { '--database': 'sqlite:./new/data/janua.db' };
    for (const [changed, pattern] of cases) {
      const { code, stdout, stderr } = await place.setUp({ ...folders, ...changed });
      assert.match(stderr, pattern);
      assert.equal(code === 0, false);
      assert.doesNotMatch(stdout + stderr, /canary/);
      assert.deepEqual(await place.names(), []);
    }
    smtp.direct((command) => (command.startsWith('RCPT') ? { answer: '550 no such user' } : undefined));
    const { stderr } = await place.setUp({
      ...folders,
      ...mail,
      '--mail-from': 'janua@example.com',
      '--test-mail': '',
    });
    assert.match(stderr, /^The mail server did not take the mail: 550 no such user/);
    assert.deepEqual(await place.names(), []);
    await writeFile(join(place.workplace.folder, 'janua.env'), `DATABASE_URL=${answers['--database']}\n`);
    assert.match(
      (await place.setUp({ ...noSettings, '--admin-password-file': 'canary' })).stderr,
      /A password must have at least/,
    );
    assert.deepEqual(await place.names(), ['janua.env']);
  });

  test('finds out whether the account of a database server may create tables', {
    skip: missing('PostgreSQL'),
  }, async () => {
    const { url, drop } = await createDatabase('postgres');
    await using place = await openPlace();
    const { host, pathname } = new URL(url);
    const account = `setup${pathname.slice(-8)}`;
    await executeIn.postgres(url, `create role ${account} login`);
    await executeIn.postgres(url, 'revoke create on schema public from public');
    const database = {
      '--database': `postgres://${account}@${host}${pathname}`,
      '--database-password-file': '/dev/null',
    };
    const options = { ...database, '--key-file': 'key' };
    try {
      const refused = await place.setUp(options);
      assert.match(
        refused.stderr,
        /^--database: The account may not create tables \(permission denied for schema public\)/,
      );
      await executeIn.postgres(url, `grant create on schema public to ${account}`);
      const { code, stdout, stderr } = await place.setUp(options);
      assertDone({ code, stdout, stderr });
      assert.equal(parseEnv(await place.settings()).ENCRYPTION_KEY_FILE, join(place.workplace.folder, 'key'));
      assert.deepEqual(await place.names(), ['janua.env', 'key']);
    } finally {
      await executeIn.postgres(url, `drop owned by ${account}; drop role ${account}`);
      await drop();
    }
  });

  test('asks again at a terminal, and shows no password', { skip: findProgram('script') === undefined }, async () => {
    await using place = await openPlace();
    await using smtp = await startScriptedSmtp();
    smtp.direct((command) => (command.startsWith('RCPT') ? { answer: '550 no such user' } : undefined));
    const terminal = openTerminal({ '--database': 'sqlite:./janua.db' }, { cwd: place.workplace.folder });
    const typed: (readonly [question: RegExp, answer: string])[] = [
      [/Name of the site \[Janua\]: $/, ''],
      [/such as https:\/\/auth\.example\.com: $/, 'auth.example.com'],
      [/PUBLIC_URL must be[\s\S]*such as https:\/\/auth\.example\.com: $/, 'https://localhost'],
      [/Mail server: .* \[none\]: $/, 'smtp://127.0.0.1:1'],
      [/The mail server cannot be used: [\s\S]*, or none \[none\]: $/, `smtp://127.0.0.1:${smtp.port}`],
      [/Sender of mails \[no-reply@localhost\]: $/, ''],
      [/first administrator: $/, 'ann@example.com'],
      [/First name: $/, 'Ann'],
      [/Last name: $/, 'Archer'],
      [/New password .*: $/, 'nobody guesses this'],
      [/The same again: $/, 'nobody guesses that'],
      [/are different[\s\S]*New password .*: $/, 'password'],
      [/^\s*A password must have at least \d+ characters[\s\S]*New password .*: $/, password],
      [/The same again: $/, password],
      [/Send a test mail to ann@example\.com\? \[yes\]: $/, ''],
      [/did not take the mail: 550 [\s\S]*, or none \[smtp:\/\/127\.0\.0\.1:\d+\]: $/, 'none'],
    ];
    const { code, screen } = await type(terminal, typed);
    assert.match(screen, /\r\nNext\. Begin/);
    assert.ok(code !== null);
    assert.deepEqual(typed, []);
    assert.doesNotMatch(screen, /nobody guesses/);
    assert.match((await place.run('users', 'list')).stdout, /ann@example\.com/);
  });

  test('asks at a terminal for a refused password alone, and shows none', {
    skip: findProgram('script') === undefined,
  }, async () => {
    await using place = await openPlace();
    await using server = await startRefusingPostgres('28P01');
    const { '--database': _, ...others } = answers;
    const terminal = openTerminal(others, { cwd: place.workplace.folder });
    const missing = /Database: .*: $/;
    const again =
      /refuses the account or its password\. [\s\S]*Password of the database, empty to change the address: $/;
    const typed: (readonly [question: RegExp, answer: string])[] = [
      [missing, `postgres://janua@${server.address}`],
      [/Password of the database, empty for none: $/, 'hidden 1'],
      [again, 'hidden 2'],
      [again, ''],
      [
        /^\s*Correct the address, or the account in it\.[\s\S]*Database: .*: $/,
        `postgres://janua:typed@${server.address}`,
      ],
      [again, 'hidden 3'],
      [again, ''],
      [missing, 'sqlite:./janua.db'],
    ];
    const { screen } = await type(terminal, typed);
    assert.deepEqual(typed, []);
    assert.match(screen, /\r\nNext\. Begin/);
    assert.deepEqual(server.passwords, ['hidden 1', 'hidden 2', 'typed', 'hidden 3']);
    assert.doesNotMatch(screen, /hidden/);
  });

  test('offers an account a database that it can make', {
    skip: (process.getuid?.() !== 0 || findProgram('script') === undefined) && 'needs root and script',
  }, async () => {
    await using place = await openPlace();
    const { folder } = place.workplace;
    await chown(folder, 1, 1);
    const { '--name': name, '--public-url': url } = answers;
    const terminal = openTerminal({ '--name': name, '--public-url': url }, { cwd: folder, uid: 1, gid: 1 });
    // Ctrl+D.
    terminal.stdin.end('\x04');
    assert.ok((await text(terminal.stdout)).includes(` [sqlite:${join(folder, 'janua.db')}]: `));
  });

  test('run by root works as the account of the service, and only root can read the settings', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async () => {
    await using place = await openPlace();
    const data = join(place.workplace.folder, 'data');
    const home = await stat(place.workplace.folder);
    await mkdir(data);
    // An account of every Unix, whose group has the same name.
    const account = 'daemon';
    await chown(data, 1, 1);
    const options = { '--database': `sqlite:${data}/janua.db`, '--account': account };
    await chmod(place.workplace.folder, home.mode | 0o011);
    const { code, stdout, stderr } = await place.workplace.run(argumentsOf({ ...answers, ...options }), {
      alone: true,
    });
    assertDone({ code, stdout, stderr });
    const ownerOf = async (...path: string[]) => {
      const { uid, gid, mode } = await stat(join(place.workplace.folder, ...path));
      return [uid, gid, mode & 0o777];
    };
    assert.deepEqual(await ownerOf('janua.env'), [0, 0, 0o600]);
    assert.deepEqual(await ownerOf('data', 'janua.db'), [1, 1, 0o600]);
    assert.deepEqual(await ownerOf('data', 'janua.encryption-key'), [1, 1, 0o600]);
    await mkdir(join(place.workplace.folder, 'closed'), 0o700);
    for (const closed of [place.workplace.folder, join(place.workplace.folder, 'closed')]) {
      const other = { ...options, '--settings-file': 'other.env', '--database': `sqlite:${closed}/new/janua.db` };
      const { stderr } = await place.workplace.run(argumentsOf({ ...answers, ...other }), { alone: true });
      assert.equal(
        stderr,
        `--database: The account ${account} cannot write to ${closed} (EACCES). ` +
          `Choose a folder of that account, or make one: sudo install -d -m 0700 -o ${account} FOLDER\n`,
      );
    }
    const unknown = await place.setUp({ '--account': 'nobody-here', '--settings-file': 'other.env' });
    assert.match(unknown.stderr, /^There is no account nobody-here/);
  });
});
