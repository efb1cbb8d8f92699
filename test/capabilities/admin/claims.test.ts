import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admins } from '../../../src/core/users/scopes.ts';
import { withHeaders } from '../../client.ts';
import { ann, startJanua } from '../../janua.ts';
import { addTo, signInAs, signInWith } from './administrator.ts';

async function open() {
  const janua = await startJanua();
  await janua.services.groups.add({ name: 'staff', description: '', scopes: [] });
  const { id } = (await janua.account()).user;
  const headersOfAdministrator = await signInAs(janua, [admins]);
  return { ...janua, id, headersOfAdministrator, administrator: withHeaders(janua, headersOfAdministrator) };
}

test('an administrator sets the claims of a user and of a group, which pages, API and export show', async () => {
  await using janua = await open();
  const { id, administrator } = janua;
  const { get, post } = administrator;
  const sent = { department: 'research', level: 7, gone: null };
  assert.equal((await post(`/api/admin/users/${id}/claims`, { claims: sent })).statusCode, 200);
  assert.deepEqual((await get(`/api/admin/users/${id}`)).json().claims, { department: 'research', level: 7 });
  assert.match((await get(`/admin/users/${id}`)).body, /department=research<br>level=7/);
  assert.match((await get(`/admin/users/${id}/claims`)).body, />department=research\nlevel=7<\/textarea>/);
  // A browser sends lines.
  const line = { name: 'staff', claims: 'tags=["a","b"]\r\nfloor=7\r\n' };
  assert.equal((await post('/admin/groups/claims', line)).statusCode, 303);
  const group = (await get('/api/admin/groups')).json().groups.find(({ name }: { name: string }) => name === 'staff');
  assert.deepEqual(group.claims, { tags: ['a', 'b'], floor: 7 });
  const own = withHeaders(janua, (await janua.logIn()).bearer);
  assert.deepEqual((await own.get('/api/account/export')).json().account.claims, { department: 'research', level: 7 });
  // The same again is no change.
  assert.equal((await post('/api/admin/groups/claims', { name: 'staff', claims: group.claims })).statusCode, 200);
  const events = await janua.events();
  const changes = events.filter(({ kind }) => kind.endsWith('claims-changed'));
  assert.deepEqual(
    changes.map(({ kind, about, actorId }) => [kind, about, actorId !== undefined]),
    [
      ['user-claims-changed', 'department level', true],
      ['group-claims-changed', 'staff', true],
    ],
  );
  assert.doesNotMatch(JSON.stringify(changes), /research/);
});

test('claims with a fault are shown again with it', async () => {
  await using janua = await open();
  const { id, administrator } = janua;
  const faults: readonly (readonly [claims: unknown, detail: RegExp])[] = [
    [{ roles: ['a'] }, /^roles has a meaning in a standard/],
    [{ Bad: 1 }, /^Bad: a name begins/],
    [{ note: 'a\u202eb' }, /^note: a value is JSON/],
    [Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`c${index}`, 1])), /^A user has at most 32 claims/],
    ['nothing', /^One claim a line/],
    [['a'], /^One claim a line/],
  ];
  for (const [path, more] of [
    [`/api/admin/users/${id}/claims`, {}],
    ['/api/admin/groups/claims', { name: 'staff' }],
  ] as const) {
    for (const [claims, detail] of faults) {
      const answer = await administrator.post(path, { claims, ...more });
      assert.equal(answer.statusCode, 422, answer.body);
      assert.equal(answer.json().errors[0].field, 'claims');
      assert.match(answer.json().errors[0].detail, detail);
    }
    assert.equal((await administrator.post(path, more)).json().errors[0].detail, 'Required');
  }
  const page = await administrator.post('/admin/groups/claims', { name: 'staff', claims: 'roles=<b>' });
  assert.equal(page.statusCode, 422);
  assert.match(page.body, /<details open>/);
  assert.match(page.body, /id="claims-staff-error">roles has a meaning/);
  assert.match(page.body, /aria-invalid="true">roles=&lt;b&gt;<\/textarea>/);
});

test('deep or foreign JSON is a fault, and no error of the server', async () => {
  await using janua = await open();
  const { id, administrator, headersOfAdministrator } = janua;
  const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
  for (const url of ['/admin/groups/claims', '/api/admin/groups/claims', `/api/admin/users/${id}/claims`])
    for (const claims of [deep, `{"a":${deep}}`, '7', 'true']) {
      const payload = `{"name":"staff","claims":${claims}}`;
      const headers = { ...headersOfAdministrator, 'content-type': 'application/json' };
      const { statusCode } = await janua.send({ method: 'POST', url, payload }, headers);
      assert.ok([400, 422].includes(statusCode), `${url} ${claims.slice(0, 10)}: ${statusCode}`);
    }
  assert.deepEqual((await administrator.get(`/api/admin/users/${id}`)).json().claims, {});
});

test('a helper sets the claims of a group that they hold, and of no user', async () => {
  await using janua = await open();
  const headers = await signInWith(janua, 'users:read', 'users:write');
  const helper = withHeaders(janua, headers);
  const sent = { claims: { department: 'research' } };
  const refused = await helper.post(`/api/admin/users/${janua.id}/claims`, sent);
  assert.deepEqual([refused.statusCode, refused.json().detail], [403, 'Only members of admins may do this']);
  assert.equal((await helper.get(`/api/admin/users/${janua.id}/claims`)).statusCode, 403);
  assert.equal((await helper.post('/api/admin/groups/claims', { name: 'staff', ...sent })).statusCode, 403);
  assert.equal((await helper.post('/api/admin/groups/claims', { name: 'admins', ...sent })).statusCode, 403);
  const own = (await janua.services.groups.names()).find((name) => name.startsWith('group-')) ?? '';
  assert.equal((await helper.post('/api/admin/groups/claims', { name: own, ...sent })).statusCode, 200);
  // Not by another door to the change either.
  const { administer } = janua.services;
  const actor = { caller: { route: 'a test' }, actorId: await addTo(janua, 'helper@example.com', [own]) };
  const limited = administer(actor, ({ groups }) => {
    if (groups.includes(admins)) throw new Error('beyond');
  });
  await assert.rejects(
    limited.setClaims(ann.username, () => sent.claims),
    /beyond/,
  );
});
