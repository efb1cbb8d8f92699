import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admins } from '../../../src/core/users/scopes.ts';
import { startJanua, type TestOptions } from '../../janua.ts';
import { form, json } from '../../web/faces.ts';
import { signInAs, signInWith } from './administrator.ts';

const url = '/api/admin/users/imports';

async function open(scopes: readonly string[] = [], options: TestOptions = {}) {
  const janua = await startJanua(options);
  const headers = await (scopes.length === 0 ? signInAs(janua, [admins]) : signInWith(janua, ...scopes));
  const post = (path: string, sent: ReturnType<typeof form>) =>
    janua.send({ method: 'POST', url: path, ...sent }, headers);
  const importRows = (fields: Readonly<Record<string, unknown>>) => post('/api/admin/users/import', json(fields));
  const list = async () => (await janua.get(url, headers)).json().imports;
  const undo = (id: string) => post(`${url}/undo`, json({ id }));
  return { ...janua, headers, post, importRows, list, undo };
}

const rows = 'username,groups\nann2@example.com,admins\nbob2@example.com,';

test('an import is listed with its administrator and its file, and is undone with its event', async () => {
  await using janua = await open();
  const { services, importRows, list, undo } = janua;
  await importRows({ rows, label: 'people.csv', dry_run: true });
  assert.deepEqual(await list(), []);
  await importRows({ rows, label: ' people.csv ' });
  const [{ id, created_at, actor, ...listed }, ...others] = await list();
  assert.deepEqual(listed, { label: 'people.csv', operator: null, added: 2, left: 2, used: 0, invited: 0, waiting: 0 });
  assert.deepEqual([others, typeof created_at], [[], 'string']);
  assert.match(actor, /@example\.com$/);
  const undone = await undo(id);
  assert.deepEqual([undone.statusCode, undone.json()], [200, { count: 2 }]);
  assert.equal(await services.users.findByUsername('ann2@example.com'), undefined);
  assert.deepEqual(await list(), []);
  for (const kind of ['users-imported', 'import-undone']) {
    const [event] = await janua.events({ kind });
    assert.deepEqual([event?.count, event?.about, event?.actorId !== undefined], [2, id, true], kind);
  }
  assert.equal((await undo(id)).statusCode, 404);
});

test('an import of which a user has signed in is refused with their number, and the page offers no button', async () => {
  await using janua = await open();
  const { services, headers, importRows, list, undo } = janua;
  const button = /action="\/admin\/users\/imports\/undo"/;
  await importRows({ rows });
  assert.match((await janua.get('/admin/users/imports', headers)).body, button);
  await services.administration.setPassword('bob2@example.com', 'a long enough passphrase');
  const [{ id, used }] = await list();
  assert.equal(used, 1);
  const refused = await undo(id);
  assert.equal(refused.statusCode, 409);
  assert.match(refused.json().detail, /have signed in, or chosen a password: 1\./);
  const page = await janua.get('/admin/users/imports', headers);
  assert.doesNotMatch(page.body, button);
  assert.match(page.body, /1 user has signed in or chosen a password/);
  const sent = await janua.post('/admin/users/imports/undo', form({ id }));
  assert.equal(sent.statusCode, 409);
  assert.match(sent.body, /so it cannot be undone/);
  assert.ok(await services.users.findByUsername('ann2@example.com'));
});

test('imports are listed and undone by members of admins alone, with a fresh proof', async () => {
  await using janua = await open();
  await janua.importRows({ rows });
  const [{ id }] = await janua.list();
  await using helper = await open(['users:read', 'users:write']);
  assert.equal((await helper.get(url, helper.headers)).statusCode, 403);
  assert.equal((await helper.undo(id)).statusCode, 403);
  janua.pass(3_600_000);
  assert.equal((await janua.undo(id)).json().error, 'insufficient_user_authentication');
  const page = await janua.get('/admin/users/imports', janua.headers);
  assert.doesNotMatch(page.body, /action="\/admin\/users\/imports\/undo"/);
});

test('a file gives an import its name, shortened, and without what cannot be printed', async () => {
  await using janua = await open();
  for (const [name, expected] of [
    ['Mitarbeiter – neu.csv', 'Mitarbeiter – neu.csv'],
    [`${'😀'.repeat(120)}.csv`, '😀'.repeat(100)],
    ['evil\u202Egpj.csv', ''],
    ['<b>.csv', '<b>.csv'],
  ] as const) {
    const sent = new FormData();
    sent.append('rows', new File(['username\nnew@example.com'], name, { type: 'text/csv' }));
    const request = new Request('http://localhost', { method: 'POST', body: sent });
    const payload = Buffer.from(await request.arrayBuffer());
    const headers = { 'content-type': request.headers.get('content-type') ?? '' };
    const added = await janua.send({ method: 'POST', url: '/admin/users/import', payload, headers }, janua.headers);
    assert.match(added.body, /1 user was added/, name);
    const [{ id, label }] = await janua.list();
    assert.equal(label, expected);
    assert.doesNotMatch((await janua.get('/admin/users/imports', janua.headers)).body, /<b>\./);
    await janua.undo(id);
  }
});

test('the page keeps the label for the rows that it has checked', async () => {
  await using janua = await open();
  const sent = { rows: 'username\nnew@example.com', label: 'people.csv', dry_run: 'true' };
  const { body } = await janua.post('/admin/users/import', form(sent));
  assert.match(body, /<input id="label"[^>]*value="people\.csv"/);
});

test('an administrator has the new users invited, by the page as by the API, and sees how many were', async () => {
  await using janua = await open();
  const { services, headers, importRows, list, post } = janua;
  assert.match((await janua.get('/admin/users/import', headers)).body, /<input type="checkbox" name="invite"/);
  assert.equal((await importRows({ rows, invite: true })).statusCode, 200);
  const checked = await post('/admin/users/import', form({ rows: 'username\ncid2@example.com', invite: 'true' }));
  assert.match(checked.body, /1 user was added/);
  assert.deepEqual(
    (await list()).map(({ invited, waiting }: Record<string, number>) => [invited, waiting]),
    [
      [0, 1],
      [0, 2],
    ],
  );
  assert.match((await janua.get('/admin/users/imports', headers)).body, /2 users still await an invitation/);
  await services.importInvitations?.settled();
  assert.match((await janua.get('/admin/users/imports', headers)).body, /2 users were mailed an invitation/);
  const to = (await janua.mails()).map((mail) => mail.to).sort();
  assert.deepEqual(to, ['ann2@example.com', 'bob2@example.com', 'cid2@example.com']);
});

test('no administrator can have users invited where no mail is sent', async () => {
  await using janua = await open([], { overrides: { demoMailbox: false } });
  assert.doesNotMatch((await janua.get('/admin/users/import', janua.headers)).body, /name="invite"/);
  const refused = await janua.importRows({ rows, invite: true });
  assert.equal(refused.statusCode, 409);
  assert.match(refused.json().detail, /^No mail can be sent here/);
  assert.equal(await janua.services.users.findByUsername('ann2@example.com'), undefined);
});
