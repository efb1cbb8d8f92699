import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { demoHash } from '../../src/commands/demo-users.ts';
import { createMigratedWorkplace, shutting } from './janua-command.ts';

const row = (index: number) => `person${index}@example.com,Pia,Last${index},,,"${demoHash}"\n`;
const header = 'username,first_name,last_name,groups,disabled,password_hash\n';

test('imported users log in with the passwords that they had', async () => {
  await using workplace = await createMigratedWorkplace();
  await workplace.run(['groups', 'add', 'staff']);
  const input = `\ufeff${header.replace('\n', '\r\n')}${row(0)}Ann@Example.com,"Änn ""A""","Archer, M.",staff admins,,"${demoHash}"\r\n`;
  const rehearsed = await workplace.run(['users', 'import', '-', '--dry-run'], { input });
  assert.deepEqual(rehearsed, { code: 0, stdout: 'To be added: 2. There already: 0. Refused: 0.\n', stderr: '' });
  const imported = await workplace.run(['users', 'import', '-'], { input });
  assert.deepEqual(imported, { code: 0, stdout: 'Added: 2. There already: 0. Refused: 0.\n', stderr: '' });
  const [ann] = (await workplace.run(['users', 'list', '--json'])).stdout.split('\n');
  const { username, firstName, lastName, groups } = JSON.parse(ann ?? '');
  assert.deepEqual([username, firstName, lastName], ['ann@example.com', 'Änn "A"', 'Archer, M.']);
  assert.deepEqual(groups, ['admins', 'staff']);
  const { url, stop } = await workplace.start(['serve']);
  const body = new URLSearchParams({ username, password: 'password' });
  assert.equal((await fetch(`${url}/api/login`, { method: 'POST', body })).status, 200);
  await stop();
  const { stdout: audit } = await workplace.run(['audit', '--json', '--kind', 'users-imported']);
  assert.equal(JSON.parse(audit).count, 2);
});

test('each refused row is named by its line, and spoils no other row', async () => {
  await using workplace = await createMigratedWorkplace();
  const path = join(workplace.folder, 'people.csv');
  const lines = [
    ...['ann@example.com,Änn,A,,,', 'ANN@example.com,Ann,A,,,', 'bob,B,B,,,', '', '"cid@example.com,C,C,,,'],
    ...['dee@example.com,D', `eve@example.com,${'x'.repeat(10_000_000)},E,,,`, 'fay@example.com,F,F,nobody,,'],
    ...['gus@example.com,G,G,,,$1$a$b', 'hal@example.com,H,\u0000,,,', 'ida@example.com,I,I,,true,'],
  ];
  await writeFile(
    path,
    Buffer.concat([Buffer.from(header + lines.join('\n')), Buffer.from('\njan@example.com,\xff,J,,,', 'latin1')]),
  );
  const { code, stdout, stderr } = await workplace.run(['users', 'import', path]);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  const told = stderr.trimEnd().split('\n');
  assert.equal(told.pop(), 'Added: 2. There already: 0. Refused: 9.');
  for (const [index, expected] of [
    /^line 3: The user is in line 2 too/,
    /^line 4: A username must be/,
    /^line 6: The quotes do not fit/,
    /^line 7: .*fields/,
    /^line 8: The line has more than 65536 bytes/,
    /^line 9: There is no group nobody/,
    /^line 10: Janua cannot verify the password_hash/,
    /^line 11: A first or last name/,
    /^line 13: The lines before have another encoding\. Save the file in one/,
  ].entries())
    assert.match(told[index] ?? '', expected);
  assert.equal(told.length, 9);
});

test('a file is read as Excel saves it: separators, Windows-1252, UTF-8 and UTF-16', async () => {
  await using workplace = await createMigratedWorkplace();
  const lines = (separator: string, kind: string) =>
    ['username,first_name,last_name', `${kind}@example.com,Jürgen,"Groß – ""€"""`]
      .join('\r\n')
      .replaceAll(',', separator);
  const windows = (text: string) => Buffer.from(text.replaceAll('–', '\x96').replaceAll('€', '\x80'), 'latin1');
  const swapped = (text: string) => Buffer.from(text, 'utf16le').swap16();
  const files: Readonly<Record<string, Buffer>> = {
    ansi: windows(lines(';', 'ansi')),
    big: swapped(`\ufeff${lines('\t', 'big')}`),
    plain: Buffer.from(lines(',', 'plain')),
    unicode: Buffer.from(`\ufeff${lines('\t', 'unicode')}`, 'utf16le'),
    utf8: Buffer.from(`\ufeff${lines(';', 'utf8')}`),
  };
  for (const [kind, content] of Object.entries(files)) {
    const path = join(workplace.folder, kind);
    await writeFile(path, content);
    const imported = await workplace.run(['users', 'import', path]);
    assert.deepEqual(imported, { code: 0, stdout: 'Added: 1. There already: 0. Refused: 0.\n', stderr: '' }, kind);
  }
  const users = (await workplace.run(['users', 'list', '--json'])).stdout.trim().split('\n');
  assert.deepEqual(
    users.map((line) => JSON.parse(line)).map(({ firstName, lastName }) => [firstName, lastName]),
    Object.keys(files).map(() => ['Jürgen', 'Groß – "€"']),
  );
  // In a file of two encodings, one of the names would be garbled.
  const mixed = join(workplace.folder, 'mixed');
  const [first, second] = [windows('username;first_name\nx@example.com;Jürgen\n'), Buffer.from('y@example.com;Änn')];
  await writeFile(mixed, Buffer.concat([first, second]));
  const { stderr } = await workplace.run(['users', 'import', mixed]);
  assert.match(stderr, /^line 3: The lines before have another encoding/);
});

test('an export can be imported elsewhere, and has hashes only if they are asked for', async () => {
  await using workplace = await createMigratedWorkplace();
  const people = [
    { username: '=cmd@example.com', first_name: '@SUM(1)', last_name: 'A "B", C', groups: ['admins'], disabled: false },
    { username: 'ann@example.com', first_name: 'Änn', last_name: '', groups: [], disabled: true },
  ].map((person) => ({ ...person, handle: person.disabled ? 'annie' : '', password_hash: demoHash }));
  const input = people.map((person) => JSON.stringify(person)).join('\n');
  assert.equal((await workplace.run(['users', 'import', '-'], { input })).stderr, '');
  await using other = await createMigratedWorkplace();
  const csv = (await workplace.run(['users', 'export', '--with-hashes'])).stdout;
  assert.equal((await other.run(['users', 'import', '-'], { input: csv })).stderr, '');
  const { stdout } = await other.run(['users', 'export', '--json', '--with-hashes']);
  assert.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    people,
  );
  for (const json of [[], ['--json']])
    assert.doesNotMatch((await workplace.run(['users', 'export', ...json])).stdout, /argon2|password_hash/);
  assert.match((await workplace.run(['audit'])).stdout, /users exported.*\n.*users exported.*\n.*users exported/);
});

test('an import that was stopped goes on where it stopped', async () => {
  await using workplace = await createMigratedWorkplace();
  const child = workplace.launch(['users', 'import', '-'], {});
  child.stdin.on('error', () => {});
  child.stdin.write(`${header}nobody,,,,,\n`);
  const [output, printed] = [text(child.stdout), once(child.stderr, 'data')];
  await printed;
  const closed = once(child, 'close');
  child.kill('SIGINT');
  let count = 0;
  while (child.exitCode === null && count < 100_000) {
    if (!child.stdin.write(row(count))) await Promise.race([once(child.stdin, 'drain').catch(() => {}), closed]);
    count += 1;
  }
  assert.equal((await closed)[0], 1);
  assert.equal(await output, '');
  const { stdout: audit } = await workplace.run(['audit', '--json', '--kind', 'users-imported']);
  const added = audit
    .trim()
    .split('\n')
    .reduce((sum, event) => sum + JSON.parse(event).count, 0);
  const { stdout: listed } = await workplace.run(['users', 'list', '--json']);
  assert.equal(listed.trim().split('\n').length, added);
  const input = `${header}${Array.from({ length: added + 5 }, (_, index) => row(index)).join('')}`;
  const again = await workplace.run(['users', 'import', '-'], { input });
  assert.deepEqual(again, { code: 0, stdout: `Added: 5. There already: ${added}. Refused: 0.\n`, stderr: '' });
});

test('a file that is none, and a header that names no column, are refused', async () => {
  await using workplace = await createMigratedWorkplace();
  const path = join(workplace.folder, 'people.csv');
  for (const [content, code, expected] of [
    [undefined, 2, /^\S+ cannot be read \(ENOENT\)\.\n$/],
    ['name,mail\n', 1, /^The column name is unknown or there twice\. There are: username, /],
    ['username;first_name\n', 1, /^There are no users to import\.\n$/],
    ['username,username\n', 1, /unknown or there twice/],
    ['first_name\nAnn\n', 1, /no column username/],
    ['', 1, /^There are no users to import\.\n$/],
    ['username,first_name\n\n', 1, /^There are no users to import\.\n$/],
    ['{"username":"ann@example.com","admin":true}', 1, /^line 1: The column admin is unknown/],
  ] as const) {
    if (content !== undefined) await writeFile(path, content);
    const finished = await workplace.run(['users', 'import', path]);
    assert.equal(finished.code, code);
    assert.match(finished.stderr, expected);
  }
  assert.match((await workplace.run(['users', 'import', '.'])).stderr, /^\S+ cannot be read \(EISDIR\)\.\n$/);
  const shut = await workplace.run(['users', 'import', 'people.csv'], { env: shutting('people.csv') });
  const line = /^The account (\S+) may not read \/\S+\. Pass it on: \.\/bin\/janua users import - < people\.csv\n$/;
  assert.match(shut.stderr, line);
  assert.equal(line.exec(shut.stderr)?.[1], userInfo().username);
});

test('imports are listed with their files, and one is undone', async () => {
  await using workplace = await createMigratedWorkplace();
  const path = join(workplace.folder, 'people.csv');
  await writeFile(path, `${header}${row(0)}${row(1)}`);
  await workplace.run(['users', 'import', path, '--dry-run']);
  assert.match((await workplace.run(['users', 'imports'])).stdout, /^There are no imports/);
  await workplace.run(['users', 'import', path]);
  await workplace.run(['users', 'import', '-'], { input: `${header}${row(2)}` });
  const { stdout } = await workplace.run(['users', 'imports', '--json']);
  const listed = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    listed.map(({ label, added, left, used, operator }) => [label, added, left, used, operator.split(' ')[0]]),
    [
      ['', 1, 1, 0, userInfo().username],
      ['people.csv', 2, 2, 0, userInfo().username],
    ],
  );
  const { id } = listed[1];
  const table = (await workplace.run(['users', 'imports'])).stdout;
  assert.match(table, /^ID +LABEL +TIME +BY +ADDED +LEFT +IN USE +INVITED +WAITING\n/);
  assert.match(table, /people\.csv .* 2 +2 +0 +0 +0\n/);
  const undone = await workplace.run(['users', 'undo-import', id]);
  assert.deepEqual(undone, { code: 0, stdout: 'The import is undone. Removed users: 2.\n', stderr: '' });
  const again = await workplace.run(['users', 'undo-import', id]);
  assert.deepEqual(again, { code: 1, stdout: '', stderr: 'There is no import with that id.\n' });
  assert.match((await workplace.run(['users', 'list'])).stdout, /person2@/);
  assert.match((await workplace.run(['audit'])).stdout, /import undone .*, 2 in all/);
});

test('an import invites its users by the server, and is refused at once without one for mail', async () => {
  await using workplace = await createMigratedWorkplace();
  const [input, command] = [
    'username,disabled\nann@example.com,\nbob@example.com,true\n',
    ['users', 'import', '-', '--invite'],
  ];
  const refused = await workplace.run(command, { input });
  assert.deepEqual([refused.code, refused.stdout, refused.stderr], [1, '', 'Set MAIL_URL first.\n']);
  assert.match((await workplace.run(['users', 'list'])).stdout, /There are no users yet/);
  // No server sends here.
  const env = { MAIL_URL: 'smtp://127.0.0.1:9', MAIL_FROM: 'no-reply@example.com' };
  const imported = await workplace.run(command, { input, env });
  assert.equal(
    imported.stdout,
    'Added: 2. There already: 0. Refused: 0. Waiting for an invitation by the server: 1.\n',
  );
  const { invited, waiting } = JSON.parse((await workplace.run(['users', 'imports', '--json'])).stdout);
  assert.deepEqual([invited, waiting], [0, 1]);
});

test('columns of another program are mapped, and others are left out', async () => {
  await using workplace = await createMigratedWorkplace();
  // As Auth0 writes them.
  const auth0 = { email_verified: true, email: 'Ann@Example.com', passwordHash: demoHash, tenant: 'x', disabled: true };
  const rows = [
    { ...auth0, user_id: 'auth0|5f7c8ec7c33c6c004bbafe82', username: 'annie' },
    { ...auth0, user_id: `samlp|${'x'.repeat(40)}`, email: 'bob@example.com' },
    { ...auth0, email_verified: 'perhaps', email: 'cid@example.com' },
    { ...auth0, user_id: 'auth0|5f7c8ec7c33c6c004bbafe82', email: 'dee@example.com' },
    { ...auth0, email_verified: false, email: 'eve@example.com', __proto__x: 1 },
  ];
  const maps = ['email=username', 'email_verified=verified', 'passwordHash=password_hash', 'user_id=sub'];
  const command = ['users', 'import', '-', ...maps.flatMap((map) => ['--map', map])];
  const input = rows.map((row) => JSON.stringify(row)).join('\n');
  const { code, stderr } = await workplace.run(command, { input });
  assert.equal(code, 1);
  assert.deepEqual(stderr.trimEnd().split('\n'), [
    'The column tenant is not read.',
    'The column username is not read.',
    'line 2: A sub has at most 36 letters, digits, dots, hyphens, underscores and bars, and begins with a letter or a digit.',
    'line 3: verified must be true or false.',
    'line 4: The sub is in line 1 too.',
    'The column __proto__x is not read.',
    'Added: 2. There already: 0. Refused: 3.',
  ]);
  const listed = (await workplace.run(['users', 'list', '--json'])).stdout.trim().split('\n');
  assert.deepEqual(
    listed.map((line) => JSON.parse(line)).map(({ username, addressVerified }) => [username, addressVerified]),
    [
      ['ann@example.com', true],
      ['eve@example.com', false],
    ],
  );
  const again = await workplace.run(command, { input: JSON.stringify(rows[0]) });
  assert.match(again.stdout, /^Added: 0\. There already: 1\. Refused: 0\.\n$/);
  const other = await workplace.run(command, { input: JSON.stringify({ ...rows[0], user_id: 'auth0|1' }) });
  assert.match(other.stderr, /^line 1: There is a user ann@example\.com already, whose sub is not auth0\|1/m);
  const csv = 'Mail;Given Name;id\nfay@example.com;Fay;7\n';
  const named = ['--map', 'Mail=username', '--map', 'Given Name=first_name'];
  const mapped = await workplace.run(['users', 'import', '-', ...named], { input: csv });
  assert.deepEqual(mapped, {
    code: 0,
    stdout: 'Added: 1. There already: 0. Refused: 0.\n',
    stderr: 'The column id is not read.\n',
  });
  for (const [maps, reason] of [
    [['email'], /--map must be COLUMN=NAME, where NAME is one of: username, .*, sub\./],
    [['=username'], /--map must be/],
    [['email=admin'], /--map must be/],
    [['a=username', 'b=username'], /--map names username twice/],
    [['a=username', 'a=sub'], /--map names a twice/],
  ] as const) {
    const refused = await workplace.run(['users', 'import', '-', ...maps.flatMap((map) => ['--map', map])], { input });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, reason);
  }
});
