import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admins } from '../../../../src/core/users/scopes.ts';
import { withHeaders } from '../../../client.ts';
import { ann, startJanua } from '../../../janua.ts';
import { addTo, signInAs, signInWith } from '../../admin/administrator.ts';
import { wiki } from '../application.ts';

async function open() {
  const janua = await startJanua();
  const { services } = janua;
  const { client } = await services.clientAdministration.addClient(wiki);
  await services.administration.addGroup({ name: 'editors', description: '', scopes: [] });
  await services.administration.setClaims(ann.username, () => ({ department: 'research' }));
  const { id } = (await janua.account()).user;
  return {
    ...janua,
    id,
    administrator: withHeaders(janua, await signInAs(janua, [admins])),
    here: `clients/${client.id}`,
    clientId: client.id,
  };
}

const table = [
  { claim: 'dept', source: 'claim:department', in: ['id_token'] },
  { claim: 'roles', source: 'groups:editors=editor', in: ['id_token', 'userinfo'] },
  { claim: 'mail', source: 'address', in: ['userinfo'] },
  { claim: 'nick', source: 'handle', in: ['introspection'] },
];

test('the claims of a client are previewed before anything is saved, and then set', async () => {
  await using janua = await open();
  const { id, here, clientId, administrator, services } = janua;
  const api = `/api/admin/${here}/claims`;
  const tried = await administrator.post(api, { claims: table, preview: id, step: 'preview' });
  assert.equal(tried.statusCode, 200, tried.body);
  const { preview } = tried.json();
  assert.deepEqual(preview.empty, [
    { claim: 'roles', reason: 'no-group' },
    { claim: 'mail', reason: 'not-verified' },
    { claim: 'nick', reason: 'no-handle' },
  ]);
  const { id_token, userinfo, access_token } = preview.places;
  assert.deepEqual(
    [id_token.dept, id_token.roles, id_token.name, id_token.mail],
    ['research', [], 'Ann Archer', undefined],
  );
  assert.deepEqual([userinfo.dept, userinfo.groups, access_token], [undefined, [], {}]);
  // A preview makes no id for applications.
  assert.equal(await services.findSubject({ id }), undefined);
  assert.deepEqual((await services.clients.find(clientId))?.claims, []);
  assert.deepEqual(await janua.events({ kind: 'client-changed' }), []);

  assert.equal((await administrator.post(api, { claims: table })).statusCode, 200);
  assert.deepEqual((await services.clients.find(clientId))?.claims, table);
  const [event] = await janua.events({ kind: 'client-changed' });
  assert.match(event?.detail ?? '', /^claims: dept@id_token=claim:department roles=/);
  const saved = (await administrator.get(`${api}?preview=${id}`)).json();
  assert.deepEqual(saved.claims, table);
  assert.equal(saved.preview.places.id_token.dept, 'research');
  assert.deepEqual((await administrator.get(`/api/admin/${here}`)).json().claims, table);
});

test('the page shows the table, the preview by a button, and the fault beside the field', async () => {
  await using janua = await open();
  const { here, administrator } = janua;
  const claims = 'dept=claim:department\r\nroles=groups:editors=editor';
  const page = await administrator.post(`/admin/${here}/claims`, { claims, preview: ann.username, step: 'preview' });
  assert.equal(page.statusCode, 200, page.body);
  assert.match(page.body, /<h2>What Wiki learns of ann@example\.com<\/h2>/);
  assert.match(page.body, /<dt>dept<\/dt><dd><code>&quot;research&quot;<\/code>/);
  assert.match(page.body, /roles is empty: the user is in none of the groups\./);
  assert.match(page.body, />dept=claim:department\r?\nroles=groups:editors=editor<\/textarea>/);
  const fault = await administrator.post(`/admin/${here}/claims`, { claims: 'sub=id', preview: '', step: 'save' });
  assert.equal(fault.statusCode, 422);
  assert.match(fault.body, /sub belongs to a protocol/);
  const done = await administrator.post(`/admin/${here}/claims`, { claims, preview: ann.username, step: 'save' });
  assert.equal(done.statusCode, 303);
  assert.match(
    (await administrator.get(`/admin/${here}`)).body,
    /Source: groups:editors=editor<br>In: ID token, Userinfo endpoint</,
  );
});

test('a preview is for administrators who hold the rights of the user, and tells no other whether there is one', async () => {
  await using janua = await open();
  const { here, id } = janua;
  const ada = await addTo(janua, 'ada@example.com', [admins]);
  const sent = { claims: table, step: 'preview' };
  const noRead = withHeaders(janua, await signInWith(janua, 'clients:write'));
  const helper = withHeaders(janua, await signInWith(janua, 'clients:write', 'users:read'));
  const statusOf = async (by: typeof helper, preview: string) => {
    const posted = await by.post(`/api/admin/${here}/claims`, { ...sent, preview });
    const linked = await by.get(`/api/admin/${here}/claims?preview=${encodeURIComponent(preview)}`);
    assert.equal(linked.statusCode, posted.statusCode);
    return [posted.statusCode, posted.json().errors?.[0].detail];
  };
  const refused = [422, 'There is no such user whom you may change'];
  for (const named of [id, ann.username, 'nobody@example.com', 'nobody'])
    assert.deepEqual(await statusOf(noRead, named), refused, named);
  for (const named of [ada, 'ada@example.com', 'nobody@example.com'])
    assert.deepEqual(await statusOf(helper, named), refused, named);
  for (const named of [id, 'ANN@example.com']) assert.equal((await statusOf(helper, named))[0], 200, named);
});

test('a row whose group was removed stays while other settings change, and is not set anew', async () => {
  await using janua = await open();
  const { here, administrator, services } = janua;
  const claims = [{ claim: 'roles', source: 'groups:editors', in: ['id_token'] }];
  assert.equal((await administrator.post(`/api/admin/${here}/claims`, { claims })).statusCode, 200);
  await services.administration.removeGroup('editors');
  assert.equal((await administrator.post(`/api/admin/${here}/change`, { name: 'Notes' })).statusCode, 200);
  const more = [...claims, { claim: 'tags', source: 'groups:editors', in: ['id_token'] }];
  const refused = await administrator.post(`/api/admin/${here}/claims`, { claims: more });
  assert.equal(refused.json().errors?.[0].detail, 'There is no group editors');
});

test('an administrator without the groups of a client does not see its form', async () => {
  await using janua = await open();
  const { clientId, here, services } = janua;
  await services.clientAdministration.changeClient(clientId, { groups: ['editors'] });
  const helper = withHeaders(janua, await signInWith(janua, 'clients:write', 'users:read'));
  assert.equal((await helper.get(`/admin/${here}/claims`)).statusCode, 403);
  assert.equal((await helper.post(`/api/admin/${here}/claims`, { claims: [] })).statusCode, 403);
});
