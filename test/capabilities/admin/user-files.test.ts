import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admins } from '../../../src/core/users/scopes.ts';
import { ann, startJanua, type TestOptions } from '../../janua.ts';
import { asJson, form, json } from '../../web/faces.ts';
import { signInAs, signInWith } from './administrator.ts';

async function open(scopes: readonly string[] = [], options: TestOptions = {}) {
  const janua = await startJanua(options);
  const headers = await (scopes.length === 0 ? signInAs(janua, [admins]) : signInWith(janua, ...scopes));
  const send = (url: string, sent: ReturnType<typeof form>) => janua.send({ method: 'POST', url, ...sent }, headers);
  const importRows = async (rows: string, dry_run?: boolean) =>
    send('/api/admin/users/import', json({ rows, ...(dry_run !== undefined && { dry_run }) }));
  const download = (format: string) => janua.get(`/admin/users/export?format=${format}`, headers);
  const imports = async (kind: string) =>
    (await janua.events({ kind })).map(({ count, actorId }) => [count, actorId !== undefined]);
  return { ...janua, headers, send, importRows, download, imports };
}

const rows = [
  'username,first_name,last_name,groups',
  'new@example.com,Änn,"A, B",staff',
  'other@example.com,Bob,B,nobody',
  'new@example.com,Ann,A,',
  'odd"row,Ann,A,',
].join('\r\n');

test('an import is tried first, then adds users by the rules of the command, and names the administrator', async () => {
  await using janua = await open();
  const { services, importRows, imports } = janua;
  await services.groups.add({ name: 'staff', description: '', scopes: [] });
  const find = () => services.users.findByUsername('new@example.com');
  const expected = (dry_run: boolean, added: number) => ({ dry_run, added, there_already: 1 - added, more_refused: 0 });
  for (const [dry, added] of [
    [true, 1],
    [false, 1],
    [true, 0],
    [false, 0],
  ] as const) {
    const { refused, ...result } = (await importRows(rows, dry)).json();
    assert.deepEqual(result, expected(dry, added));
    assert.deepEqual(
      refused.map(({ line }: { readonly line: number }) => line),
      [3, 4, 5],
    );
    assert.match(refused[0].detail, /^There is no group nobody/);
    assert.equal((await find()) !== undefined, !dry || added === 0);
  }
  const { user } = (await find()) ?? assert.fail();
  assert.deepEqual([user.firstName, user.lastName, user.groups], ['Änn', 'A, B', ['staff']]);
  assert.deepEqual(await imports('users-imported'), [[1, true]]);
  const wrong = (await importRows('name\nann')).json();
  assert.deepEqual([wrong.added, wrong.refused.length], [0, 1]);
  assert.match(wrong.refused[0].detail, /^The column name is unknown/);
  assert.equal((await importRows('')).statusCode, 422);
  assert.equal((await importRows('x'.repeat(70_000))).statusCode, 413);
});

test('the page checks the rows before it offers to import them', async () => {
  await using janua = await open();
  const page = await janua.get('/admin/users/import', janua.headers);
  assert.match(page.body, /username, first_name/);
  const button = /<button type="submit">Import users</;
  assert.doesNotMatch(page.body, button);
  const sent = { rows: 'username\n<b>@example.com' };
  const refused = await janua.send('/admin/users/import', form({ ...sent, dry_run: 'true' }));
  assert.match(refused.body, /These rows are refused:</);
  assert.doesNotMatch(refused.body, button);
  assert.doesNotMatch(refused.body, /<b>@/);
  const fine = { rows: 'username\nnew@example.com' };
  const checked = await janua.send('/admin/users/import', form({ ...fine, dry_run: 'true' }));
  assert.match(checked.body, button);
  assert.match(checked.body, /1 user would be added/);
  const done = await janua.send('/admin/users/import', form(fine));
  assert.match(done.body, /1 user was added/);
  assert.ok(await janua.services.users.findByUsername('new@example.com'));
});

test('an import explains a thousand refused rows, counts the others, and keeps all of them', async () => {
  await using janua = await open();
  for (const [rows, more] of [
    [1000, 0],
    [1001, 1],
    [20_000, 19_000],
  ] as const) {
    const file = await upload(`username\n${'a\n'.repeat(rows)}`, { dry_run: 'true' });
    const { refused, more_refused, there_already } = (await janua.send('/api/admin/users/import', file)).json();
    assert.deepEqual([refused.length, more_refused, there_already], [1000, more, 0]);
  }
  const { body } = await janua.send('/admin/users/import', await upload(`username\n${'a\n'.repeat(1002)}`));
  assert.equal(body.match(/<li>Line /g)?.length, 1000);
  assert.match(body, /2 more rows are refused\./);
  assert.equal(/<textarea[^>]*>([^<]*)/.exec(body)?.[1]?.split('\n').length, 1003);
});

test('the page says in its language why rows are refused, and keeps them alone after the import', async () => {
  await using janua = await open();
  const { send, importRows } = janua;
  const bad = ['ann@example.com,nogroup', 'Ann,', 'x@example.com,"', 'ann@example.com'];
  const details = async (...lines: string[]) => {
    const sent = form({ rows: lines.join('\r\n'), dry_run: 'true' });
    const { body } = await send('/admin/users/import', {
      ...sent,
      headers: { ...sent.headers, 'accept-language': 'de' },
    });
    return Array.from(body.matchAll(/<li>(.*?)<\/li>/g), ([, text]) => text);
  };
  assert.deepEqual(await details('username,groups', ...bad), [
    'Zeile 2: Es gibt keine Gruppe nogroup.',
    'Zeile 3: Ein Benutzername muss eine einzelne E-Mail-Adresse mit höchstens 254 Zeichen sein.',
    'Zeile 4: Die Anführungszeichen passen nicht zusammen. Ein Feld kann nicht in der nächsten Zeile weitergehen.',
    'Zeile 5: Die Zeile hat eine andere Zahl von Feldern (1) als die erste Zeile.',
  ]);
  assert.match(String(await details('name')), /^Zeile 1: Die Spalte name ist unbekannt/);
  assert.deepEqual(await details('username'), ['Zeile 1: Es gibt keine Benutzer zu importieren.']);
  const rows = ['', 'username,groups', 'one@example.com,', ...bad.slice(0, 2), 'two@example.com,', bad[2]].join('\r\n');
  const json = (await importRows(rows, true)).json();
  assert.equal(json.refused[0].detail, 'There is no group nogroup.');
  const { body } = await send('/admin/users/import', form({ rows }));
  assert.match(body, /2 users were added\. <\/p>.*These rows were refused/s);
  assert.deepEqual(
    Array.from(body.matchAll(/<li>Line (\d+): /g), ([, line]) => line),
    ['2', '3', '4'],
  );
  assert.match(body, /<textarea[^>]*>username,groups\nann@example.com,nogroup\nAnn,\nx@example.com,&quot;<\/textarea>/);
  const again = await send('/admin/users/import', form({ rows: 'username\nthree@example.com' }));
  assert.match(again.body, /1 user was added.*<textarea[^>]*><\/textarea>/s);
  assert.doesNotMatch(again.body, /were refused/);
  const wrong = await send('/admin/users/import', form({ rows: 'name\nfour@example.com' }));
  assert.match(wrong.body, /<textarea[^>]*>name\nfour@example.com</);
});

/** A form with a file, as a browser sends it. */
async function upload(
  file: Buffer | string,
  others: Readonly<Record<string, string>> = {},
  mangle = (body: string) => body,
) {
  const sent = new FormData();
  sent.append('rows', new File([new Uint8Array(Buffer.from(file))], 'users.csv', { type: 'text/csv' }));
  for (const [name, value] of Object.entries(others)) sent.append(name, value);
  const request = new Request('http://localhost', { method: 'POST', body: sent });
  const body = Buffer.from(await request.arrayBuffer()).toString('latin1');
  const type = request.headers.get('content-type') ?? '';
  return { payload: Buffer.from(mangle(body), 'latin1'), headers: { 'content-type': type } };
}

test('the page takes a file as Excel saves it, shows its rows, and takes them without the file', async () => {
  await using janua = await open();
  const { send } = janua;
  const page = await janua.get('/admin/users/import', janua.headers);
  assert.match(page.body, /<form [^>]*enctype="multipart\/form-data">.*<input [^>]*name="rows" type="file"/s);
  const file = Buffer.from('username;first_name\r\nnew@example.com;J\xfcrgen', 'latin1');
  const checked = await send('/admin/users/import', await upload(file, { rows: 'ignored', dry_run: 'true' }));
  const rows = 'username;first_name\r\nnew@example.com;Jürgen';
  assert.match(checked.body, /1 user would be added/);
  assert.ok(checked.body.includes(`>${rows}</textarea>`));
  // Nothing is chosen: the file is empty.
  const done = await send('/admin/users/import', await upload('', { rows }));
  assert.match(done.body, /1 user was added/);
  assert.equal((await janua.services.users.findByUsername('new@example.com'))?.user.firstName, 'Jürgen');
  assert.equal((await send('/admin/users/import', await upload('', { rows: '' }))).statusCode, 422);
});

test('a form with a file is bounded, has each field once, and is taken by the import alone', async () => {
  await using janua = await open();
  const { send, app } = janua;
  const url = '/admin/users/import';
  const twice = (body: string) => {
    const [boundary = ''] = body.split('\r\n', 1);
    const field = 'content-disposition: form-data; name="dry_run"\r\n\r\ntrue\r\n';
    return body.replace(boundary, `${boundary}\r\n${field}${boundary}`);
  };
  const refusals = [
    [url, await upload('x'.repeat(1024 * 1024)), 413],
    [url, await upload('username', { dry_run: 'maybe' }), 422],
    [url, await upload('username', { dry_run: 'true' }, twice), 400],
    [url, await upload('username', {}, (body) => body.replace('form-data; name="rows"', 'form-data')), 400],
    [url, await upload('username', {}, (body) => body.slice(0, -20)), 400],
    [url, { payload: 'x', headers: { 'content-type': 'multipart/form-data' } }, 400],
    ['/admin/groups', await upload('username', { name: 'staff' }), 415],
    ['/auth/token', await upload('username'), 415],
  ] as const;
  for (const [place, [path, sent, status]] of refusals.entries())
    assert.equal((await send(path, sent)).statusCode, status, `${place}`);
  // A stranger's is refused before it is read.
  const stranger = await app.inject({ method: 'POST', url, ...(await upload('x'.repeat(1024 * 1024))) });
  assert.equal(stranger.statusCode, 303);
  assert.match(String(stranger.headers.location), /^\/auth\/login\?state=2/);
});

/** A form of fields with names that differ. */
const manyFields = (count: number, boundary = 'a') => ({
  payload: `${Array.from({ length: count }, (_, index) => `--${boundary}\r\ncontent-disposition: form-data; name="${index}"\r\n\r\n\r\n`).join('')}--${boundary}--\r\n`,
  headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
});

test('a form with a file has at most ten parts, and is counted before it is parsed', async (t) => {
  await using janua = await open();
  const url = '/api/admin/users/import';
  const parse = t.mock.method(Response.prototype, 'formData');
  for (const [place, [sent, status, parsed]] of (
    [
      [manyFields(10), 422, 1],
      [manyFields(11), 400, 0],
      [manyFields(18_500), 400, 0],
      [manyFields(1, 'a'.repeat(70)), 422, 1],
      [manyFields(1, 'a'.repeat(71)), 400, 0],
      [{ payload: 'x', headers: { 'content-type': 'multipart/form-data' } }, 400, 0],
      [{ payload: 'x', headers: { 'content-type': 'multipart/form-data; boundary=' } }, 400, 0],
      [
        { ...manyFields(1), headers: { 'content-type': `multipart/form-data; boundary=a;x${' '.repeat(200)}x` } },
        422,
        1,
      ],
      [
        { ...manyFields(1), headers: { 'content-type': `multipart/form-data; boundary=a;x${' '.repeat(300)}x` } },
        400,
        0,
      ],
    ] as const
  ).entries()) {
    parse.mock.resetCalls();
    assert.equal((await janua.send(url, sent)).statusCode, status, `${place}`);
    assert.equal(parse.mock.callCount(), parsed, `${place}`);
  }
});

test('the rows of an administrator who may not import them are not read', async (t) => {
  await using helper = await open(['users:read', 'users:write']);
  await using stale = await open();
  stale.pass(3_600_000);
  const parse = t.mock.method(Response.prototype, 'formData');
  for (const [{ send }, status] of [
    [helper, 403],
    [stale, 401],
  ] as const) {
    assert.equal((await send('/api/admin/users/import', manyFields(1))).statusCode, status);
    // Its length would be refused otherwise.
    assert.equal((await send('/api/admin/users/import', json({ rows: 'x'.repeat(70_000) }))).statusCode, status);
  }
  assert.equal(parse.mock.callCount(), 0);
});

test('an export gives no secret, is recorded, and can be imported again', async () => {
  await using janua = await open();
  const { services, download, imports, importRows } = janua;
  const known = (await Array.fromAsync(services.administration.list())).filter(({ demo }) => !demo);
  for (const format of ['csv', 'jsonl']) {
    const { statusCode, body, headers } = await download(format);
    assert.equal(statusCode, 200);
    assert.equal(headers['content-disposition'], `attachment; filename="users.${format}"`);
    // Excel reads a CSV without it in the encoding of its machine.
    assert.equal(body.startsWith('\ufeff'), format === 'csv');
    assert.doesNotMatch(body, /password_hash|\$argon2|\$scrypt|pbkdf2/);
    for (const { username } of known) assert.ok(body.includes(username), username);
    assert.deepEqual((await importRows(body, true)).json(), {
      ...{ dry_run: true, added: 0, there_already: known.length, refused: [], more_refused: 0 },
    });
  }
  assert.deepEqual(await imports('users-exported'), [
    [undefined, true],
    [undefined, true],
  ]);
  assert.equal((await download('pdf')).statusCode, 400);
});

test('an export leaves out users of the demo, and the list says so', async () => {
  await using janua = await open();
  const { services, headers, download } = janua;
  const list = async () => (await janua.get('/admin/users', headers)).body;
  assert.doesNotMatch(await list(), /demo/i);
  const names = { username: 'demo@example.com', firstName: 'D', lastName: 'D' };
  await services.registry?.add({ ...names, passwordHash: 'x', demo: true });
  assert.match(await list(), />demo@example\.com<\/a><mark>Demo only<.*The export leaves out users of the demo/s);
  assert.doesNotMatch((await download('csv')).body, /demo@/);
});

test('an import is for members of admins, and both need a fresh proof', async () => {
  await using helper = await open(['users:read', 'users:write']);
  assert.equal((await helper.importRows(rows)).statusCode, 403);
  assert.equal((await helper.download('csv')).statusCode, 200);
  await using janua = await open();
  janua.pass(3_600_000);
  assert.equal((await janua.importRows(rows)).json().error, 'insufficient_user_authentication');
  const page = await janua.download('csv');
  assert.deepEqual([page.statusCode, page.headers.location], [303, '/auth/confirm?next=%2Fadmin%2Fusers']);
  assert.deepEqual(await janua.imports('users-exported'), []);
});

test('a table of a team has neither', async () => {
  await using janua = await startJanua({ stores: { users: 'SQLite', sessions: 'SQL', ownTable: true } });
  await janua.services.administration.changeGroups(ann.username, { add: [admins] });
  const { bearer } = await janua.logIn();
  for (const url of ['/api/admin/users/import', '/admin/users/export?format=csv'])
    assert.equal((await janua.get(url, { ...bearer, ...asJson })).statusCode, 404, url);
});
