import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admins } from '../../../src/core/users/scopes.ts';
import { withHeaders } from '../../client.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { sessionCookie } from '../../web/faces.ts';
import { addTo, signInAs, signInWith } from '../admin/administrator.ts';
import { wiki } from '../oidc/application.ts';

type Options = Parameters<typeof startJanua>[0];

const taken = 'Taken, or another account has had it';
const malformed =
  'From 2 to 32 small letters, digits, dots, hyphens and underscores, beginning with a letter or digit, and no reserved word';
const errors = (detail: string) => [{ field: 'handle', detail }];

async function open(settings: NonNullable<Options>['settings'] = {}) {
  const janua = await startJanua({ settings: { PUBLIC_URL: 'http://localhost:5000', ...settings } });
  const { users } = janua.services;
  const annId = (await users.findByUsername(ann.username))?.user.id ?? assert.fail();
  const aliceId = await addTo(janua, 'alice@example.com', []);
  const admin = withHeaders(janua, await signInAs(janua, [admins]));
  return {
    ...janua,
    ...{ annId, aliceId, admin },
    give: (handle: string, id = annId) => admin.post(`/api/admin/users/${id}/handle`, { handle }),
    signIn: (username: string, secret = password) => janua.post('/api/login', { username, password: secret }),
  };
}

test('a user signs in with a handle in any case, and is known by it to pages, programs and the audit', async () => {
  await using janua = await open();
  const { give, signIn, admin, annId } = janua;
  assert.equal((await signIn('ann.a')).statusCode, 400);
  assert.equal((await give('Ann.A')).statusCode, 200);
  assert.equal((await signIn(' ANN.a ')).statusCode, 200);
  assert.equal((await signIn(ann.username)).statusCode, 200);
  const described = (await admin.get(`/api/admin/users/${annId}`)).json();
  assert.equal(described.handle, 'ann.a');
  assert.match((await admin.get(`/admin/users/${annId}`)).body, /\(ann\.a\)/);
  for (const q of ['ann.a', 'ANN.']) {
    const { users } = (await admin.get(`/api/admin/users?q=${q}`)).json();
    assert.deepEqual(
      users.map(({ id }: { id: string }) => id),
      [annId],
    );
  }
  const own = withHeaders(janua, { cookie: `session=${sessionCookie(await signIn('ann.a'))}` });
  assert.equal((await own.get('/api/account')).json().handle, 'ann.a');
  assert.equal((await own.get('/api/account/export')).json().account.handle, 'ann.a');
  assert.match((await own.get('/account')).body, /ann\.a/);
  const [event] = await janua.events({ kind: 'user-handle-changed' });
  assert.equal(event?.userId, annId);
  assert.equal((await give('')).statusCode, 200);
  assert.equal((await signIn('ann.a')).statusCode, 400);
});

test('failures with the handle count as failures with the address', async () => {
  await using janua = await open({ THROTTLE: 'on' });
  const { give, signIn } = janua;
  await give('ann.a');
  const statuses: number[] = [];
  for (let count = 0; count < 12; count += 1)
    statuses.push((await signIn(count % 2 === 0 ? 'ann.a' : ann.username, 'wrong wrong wrong')).statusCode);
  const failures = statuses.filter((status) => status === 400).length;
  assert.equal((await signIn(ann.username)).statusCode, 429);
  assert.equal((await signIn('ann.a')).statusCode, 429);
  await using other = await open({ THROTTLE: 'on' });
  const alone: number[] = [];
  for (let count = 0; count < 12; count += 1)
    alone.push((await other.signIn(ann.username, 'wrong wrong wrong')).statusCode);
  assert.equal(failures, alone.filter((status) => status === 400).length);
});

test('a handle that names someone or something else is refused', async () => {
  await using janua = await open();
  const { give, aliceId, annId, services, pass } = janua;
  await give('alice', aliceId);
  const { client } = await services.clientAdministration.addClient(wiki);
  const { database } = services;
  const clientId = 'Abcdefghijklmnopqrstuv';
  await database.updateTable('janua_clients').set({ id: clientId }).where('id', '=', client.id).execute();
  await services.giveSubject({ id: aliceId }, 'sub-42');
  await services.giveSubject({ id: annId }, 'sub-of-ann');
  await database.updateTable('janua_users').set({ id: 'user-42' }).where('id', '=', aliceId).execute();
  const named = database.updateTable('janua_search').set({ word: 'left' }).where('word', '=', 'alice@example.com');
  await named.execute();
  // The names of clients are read once a second.
  pass(1000);
  const refused = {
    [taken]: ['alice', clientId.toLowerCase(), 'user-42', 'sub-42', 'left'],
    [malformed]: ['admin', 'a', '-ann', 'ann@example', 'аnn'],
  };
  for (const [detail, handles] of Object.entries(refused))
    for (const handle of handles) assert.deepEqual((await give(handle)).json().errors, errors(detail), handle);
  assert.equal((await give('sub-of-ann')).statusCode, 200);
});

test('a handle is no id of a client and no sub of another user, even once its account has another one', async () => {
  await using janua = await open();
  const { give, aliceId, annId, services } = janua;
  for (const handle of ['former', 'present']) await give(handle, aliceId);
  for (const handle of ['former', 'present']) {
    await assert.rejects(services.clientAdministration.addClient({ ...wiki, id: handle }), /is taken/);
    for (const sub of [handle, handle.toUpperCase()])
      await assert.rejects(services.giveSubject({ id: annId }, sub), /is the handle of another user, or was/);
  }
  await services.giveSubject({ id: aliceId }, 'former');
  assert.equal(await services.findSubject({ id: aliceId }), 'former');
});

test('commands and files mean the user name of a user, not a handle that somebody has chosen', async () => {
  await using janua = await open();
  const { give, services } = janua;
  await give('bob');
  await assert.rejects(services.administration.changeGroups('bob', { add: [admins] }), /no user with that name/);
  assert.equal(await services.users.adoptByUsername('bob'), undefined);
});

test('an administrator gives handles to users with no more rights, after a fresh proof', async () => {
  await using janua = await open();
  const helper = withHeaders(janua, await signInWith(janua, 'users:read', 'users:write'));
  const { services, annId } = janua;
  assert.equal((await helper.post(`/api/admin/users/${annId}/handle`, { handle: 'ann' })).statusCode, 200);
  await services.administration.changeGroups(ann.username, { add: [admins] });
  assert.equal((await helper.post(`/api/admin/users/${annId}/handle`, { handle: 'annie' })).statusCode, 403);
  assert.equal((await services.users.findById(annId))?.user.handle, 'ann');
});

test('a new user gets a handle, or is not added', async () => {
  await using janua = await open();
  const { admin, services } = janua;
  const add = (email: string, handle: string) =>
    admin.post('/api/admin/users', { email, first_name: 'N', last_name: 'N', handle });
  assert.equal((await add('new@example.com', 'new.one')).statusCode, 201);
  assert.equal((await services.users.findCandidate('new.one'))?.account?.user.username, 'new@example.com');
  assert.deepEqual((await add('other@example.com', 'new.one')).json().errors, errors(taken));
  assert.deepEqual((await add('other@example.com', 'root')).json().errors, errors(malformed));
  assert.equal(await services.users.findByUsername('other@example.com'), undefined);
  assert.equal((await add('other@example.com', '')).statusCode, 201);
  assert.match((await admin.get('/admin/users/add')).body, /name="handle"/);
});

test('users choose a handle once, where they may', async () => {
  await using off = await open();
  const cookie = `session=${sessionCookie(await off.signIn(ann.username))}`;
  assert.equal((await off.get('/account/handle', { cookie })).statusCode, 404);
  await using janua = await open({ HANDLES: 'users' });
  const own = withHeaders(janua, { cookie: `session=${sessionCookie(await janua.signIn(ann.username))}` });
  const page = (await own.get('/account')).body;
  assert.match(page, /href="\/account\/handle"/);
  assert.doesNotMatch(page, />null</);
  assert.match((await own.get('/account/handle')).body, /name="handle"/);
  const choose = (handle: string) => own.post('/api/account/handle', { handle });
  assert.deepEqual((await choose('root')).json().errors, errors(malformed));
  await janua.give('alice', janua.aliceId);
  assert.deepEqual((await choose('alice')).json().errors, errors(taken));
  const asked: number[] = [];
  for (let count = 0; count < 100; count += 1) asked.push((await choose('alice')).statusCode);
  assert.equal(asked.at(-1), 429, 'a user cannot ask for any number of names');
  janua.pass(300_000);
  assert.equal((await choose('ann')).statusCode, 200);
  assert.equal((await choose('annie')).statusCode, 409);
  assert.equal((await janua.signIn('ann')).statusCode, 200);
  assert.equal((await janua.signIn('annie')).statusCode, 400);
  assert.doesNotMatch((await own.get('/account')).body, /href="\/account\/handle"/);
  assert.deepEqual(
    (await janua.events({ kind: 'handle-chosen' })).map(({ userId }) => userId),
    [janua.annId],
  );
});
