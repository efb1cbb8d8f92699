import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { admins } from '../../../src/core/users/scopes.ts';
import { startJanua, type TestJanua } from '../../janua.ts';
import { addTo } from '../admin/administrator.ts';
import { wiki } from '../oidc/application.ts';
import { appOrigin, forwarded, forwardSettings, otherOrigin, own } from './forward-browser.ts';

let janua: TestJanua;
let origin: string;
before(async () => {
  const rules = [`${appOrigin}/api=staff|machines`, `${appOrigin}/api/people=staff`, `${otherOrigin}=machines`];
  const further = [`${appOrigin} Remote-Tenant=constant:x`];
  const settings = { ...forwardSettings, FORWARD_AUTH_RULES: rules, FORWARD_AUTH_HEADERS: further, PORT: 0 };
  janua = await startJanua({ settings });
  origin = await janua.listen();
  await janua.services.groups.add({ name: 'staff', description: '', scopes: [] });
  for (const uri of [appOrigin, otherOrigin])
    await janua.services.resources.add({ uri, scopes: ['api:read'], tokenFormat: 'opaque', alg: 'RS256' });
});
after(() => janua[Symbol.asyncDispose]());

const grant = { scopes: [], within: [], may: { [appOrigin]: ['api:read'] } };

async function addProgram(machine: object = grant) {
  const { clientAdministration } = janua.services;
  const settings = { ...wiki, own: false, redirectUris: [], machine: { ...grant, ...machine } };
  const { client, secret = '' } = await clientAdministration.addClient(settings);
  return { id: client.id, secret };
}

async function tokenOf({ id, secret }: Awaited<ReturnType<typeof addProgram>>, resource: string = appOrigin) {
  const answer = await fetch(`${origin}/oidc/token`, {
    method: 'POST',
    headers: { ...forwarded(`${own}/oidc/token`), authorization: `Basic ${btoa(`${id}:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource }),
  });
  const { access_token, ...others } = (await answer.json()) as Record<string, string>;
  return access_token ?? assert.fail(JSON.stringify(others));
}

const verify = (address: string, token: string) =>
  janua.get('/auth/verify', { ...forwarded(address), authorization: `Bearer ${token}` }, '127.0.0.1');

test('a program is let in without a user, where a rule says so, with a token for that host', async () => {
  const token = await tokenOf(await addProgram());
  const answer = await verify(`${appOrigin}/api/x`, token);
  assert.equal(answer.statusCode, 200);
  for (const name of ['user', 'name', 'groups', 'email', 'tenant'])
    assert.equal(answer.headers[`remote-${name}`], '', name);
  for (const address of [
    `${appOrigin}/`,
    `${appOrigin}/api/people`,
    `${appOrigin}/api/../people`,
    `${otherOrigin}/`,
    `${own}/x`,
    'https://evil.example/api',
  ])
    assert.equal((await verify(address, token)).statusCode, 401, address);
  assert.equal((await janua.get('/api/me', { authorization: `Bearer ${token}` })).statusCode, 401);
});

test('a token for another resource, or for the API of Janua, lets no program in', async () => {
  const machine = {
    scopes: ['users:read'],
    within: ['staff'],
    may: { [appOrigin]: ['api:read'], [otherOrigin]: ['api:read'] },
  };
  const program = await addProgram(machine);
  for (const resource of [otherOrigin, own])
    assert.equal((await verify(`${appOrigin}/api/x`, await tokenOf(program, resource))).statusCode, 401, resource);
});

test('a program is kept out at once when its grant, its resource or its grantor is gone', async () => {
  const { clientAdministration, administration } = janua.services;
  const isIn = async (token: string) => (await verify(`${appOrigin}/api/x`, token)).statusCode === 200;
  const chief = await addTo(janua, 'chief@example.com', [admins]);
  await addTo(janua, 'second@example.com', [admins]);
  for (const [about, end] of Object.entries({
    grant: (id: string) =>
      clientAdministration.changeClient(id, {
        machine: { ...grant, may: {}, scopes: ['users:read'], within: ['staff'] },
      }),
    client: (id: string) => clientAdministration.removeClient(id),
    grantor: () => administration.disable({ userId: chief }),
  })) {
    const program = await addProgram({ grantedBy: chief });
    if (about === 'grantor')
      await janua.services.database
        .updateTable('janua_clients')
        .set({
          settings: JSON.stringify({ ...wiki, own: false, redirectUris: [], machine: { ...grant, grantedBy: chief } }),
        })
        .where('id', '=', program.id)
        .execute();
    const token = await tokenOf(program);
    assert.ok(await isIn(token), about);
    await end(program.id);
    assert.ok(!(await isIn(token)), about);
  }
});

test('no group gets a name that stands for programs', async () => {
  for (const name of ['machines', 'basic'])
    await assert.rejects(janua.services.groups.add({ name, description: '', scopes: [] }), /FORWARD_AUTH_RULES means/);
});
