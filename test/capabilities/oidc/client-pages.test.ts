import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { admins } from '../../../src/core/users/scopes.ts';
import { withHeaders } from '../../client.ts';
import { startJanua, type TestJanua } from '../../janua.ts';
import { signInAs, signInWith } from '../admin/administrator.ts';

const redirect = 'https://wiki.example.com/callback';
const wiki = { name: 'Wiki', redirect_uris: [redirect] };

let janua: TestJanua;
let administrator: ReturnType<typeof actAs>;
let clerk: ReturnType<typeof actAs>;
before(async () => {
  janua = await startJanua({ settings: { PUBLIC_URL: 'http://localhost:5000' } });
  administrator = actAs(await signInAs(janua, [admins]));
  clerk = actAs(await signInWith(janua, 'clients:write'));
});
after(() => janua[Symbol.asyncDispose]());

function actAs(headers: { readonly cookie: string }) {
  const client = withHeaders(janua, headers);
  const add = async (fields: object = wiki) => (await client.post('/api/admin/clients/add', fields)).json();
  const kinds = async (about: string) =>
    (await janua.events())
      .filter((event) => event.about === about)
      .map(({ kind, aboutName }) => [kind, aboutName].join(' ').trim());
  return { ...client, add, kinds };
}

describe('the clients', () => {
  test('are added, listed, changed and removed by the API, and each change is in the audit', async () => {
    const { get, post, kinds } = administrator;
    const added = await post('/api/admin/clients/add', { ...wiki, own: true, groups: ['admins'] });
    assert.equal(added.statusCode, 201, added.body);
    const { client_id: id, client_secret, ...client } = added.json();
    assert.match(client_secret, /^[\w-]{43}$/);
    assert.deepEqual([client.own, client.groups, client.redirect_uris], [true, ['admins'], [redirect]]);
    const list = (await get('/api/admin/clients')).json();
    assert.equal(list.issuer, 'http://localhost:5000');
    assert.equal(list.discovery, 'http://localhost:5000/.well-known/openid-configuration');
    assert.deepEqual(list.clients, [{ client_id: id, ...client }]);

    const here = `/api/admin/clients/${id}`;
    assert.equal((await post(`${here}/change`, { name: 'Notes', device: true })).statusCode, 200);
    const changed = (await get(here)).json();
    assert.deepEqual([changed.name, changed.device, changed.own, changed.groups], ['Notes', true, true, ['admins']]);
    const rotated = (await post(`${here}/rotate-secret`, {})).json();
    assert.notEqual(rotated.client_secret, client_secret);
    assert.equal((await post(`${here}/remove`, {})).statusCode, 200);
    for (const answer of [await get(here), await post(`${here}/remove`, {}), await post(`${here}/change`, {})])
      assert.equal(answer.statusCode, 404);
    assert.deepEqual(await kinds(id), [
      'client-added Wiki',
      'client-changed Notes',
      'client-secret-rotated Notes',
      'client-removed Notes',
    ]);
    const audit = await get('/admin/audit?kind=client-added');
    assert.ok(audit.body.includes(`Wiki (id ${id})`));
  });

  test('are added on a page, which shows the secret once', async () => {
    const { get, post } = clerk;
    const page = await post('/admin/clients/add', {
      ...wiki,
      redirect_uris: `${redirect}\r\nhttps://b.example/cb\r\n`,
    });
    assert.equal(page.statusCode, 201, page.body);
    const [, secret = ''] = /<pre class="codes">([\w-]{43})</.exec(page.body) ?? [];
    const [, id = ''] = /href="\/admin\/clients\/([\w-]{22})"/.exec(page.body) ?? [];
    assert.ok(secret && id);
    assert.match(page.body, /http:\/\/localhost:5000\/\.well-known\/openid-configuration/);
    const own = await get(`/admin/clients/${id}`);
    assert.match(own.body, /https:\/\/b\.example\/cb/);
    assert.match(own.body, /stolen codes<\/dt><dd>PKCE or a nonce</);
    for (const { body } of [own, await get('/admin/clients'), await get(`/admin/clients/${id}/change`)])
      assert.equal(body.includes(secret), false);
  });

  test('keep what was typed in a form that is refused', async () => {
    const { post } = administrator;
    await janua.services.groups.add({ name: 'staff', description: '', scopes: [] });
    const typed = { name: 'Wiki', redirect_uris: 'javascript:alert(1)', own: 'true', groups: ['admins', 'staff'] };
    const { statusCode, body } = await post('/admin/clients/add', typed);
    assert.equal(statusCode, 422);
    assert.match(body, /<textarea id="redirect_uris"[^>]*aria-invalid="true"[^>]*>javascript:alert\(1\)<\/textarea>/s);
    assert.match(body, /id="name"[^>]*value="Wiki"/s);
    for (const box of ['own" value="true', 'groups" value="admins', 'groups" value="staff'])
      assert.ok(body.includes(`name="${box}" checked`), box);
  });

  test('have no form for a secret that there is not', async () => {
    const { client_id } = await clerk.add();
    for (const query of ['', '?name=other'])
      assert.equal((await clerk.get(`/admin/clients/${client_id}/remove-secret${query}`)).statusCode, 404);
  });

  test('have forms that lead to their own addresses, under their names', async () => {
    const { add, get } = clerk;
    const { client_id } = await add();
    for (const name of ['change', 'add-secret', 'remove-secret', 'rotate-secret', 'remove']) {
      const address = `/admin/clients/${client_id}/${name}`;
      const { body } = await get(`${address}?name=first`);
      assert.ok(body.includes(`<form method="post" action="${address}">`), body);
      assert.match(body, /<title>Janua [^<]+: Wiki</);
    }
  });

  test('say in red what they demand in place of the usual, by the API, the form and the page', async () => {
    const { add, get, post } = clerk;
    const red = async (id: string) =>
      /<p class="message alarming">([^<]*)</.exec((await get(`/admin/clients/${id}`)).body)?.[1] ?? '';
    const { client_id: id, pkce } = await add();
    assert.deepEqual([pkce, await red(id)], ['nonce', '']);
    assert.match((await get(`/admin/clients/${id}/change`)).body, /<option value="nonce" selected>/);
    const here = `/admin/clients/${id}/change`;
    await post(here, { ...wiki, pkce: 'optional' });
    assert.match(await red(id), /neither PKCE nor a nonce/);
    await post(`/api${here}`, { pkce: 'required' });
    assert.match(await red(id), /has to send PKCE/);
    assert.match((await get(here)).body, /<option value="required" selected>/);
    await post(here, wiki);
    assert.equal((await get(`/api/admin/clients/${id}`)).json().pkce, 'required');
    const free = await add({ ...wiki, public: true });
    assert.deepEqual([free.pkce, await red(free.client_id)], ['required', '']);
    const refused = await post(here, { ...wiki, redirect_uris: 'http://localhost/', pkce: 'optional' });
    assert.equal(refused.statusCode, 422);
    assert.match(refused.body, /<small class="field-error" id="pkce-error">Only a client with a secret/);
  });

  test('choose how their ID tokens are signed, by the API and the form', async () => {
    const { add, get, post } = clerk;
    const { client_id: id, id_token_signed_response_alg: usual } = await add();
    assert.equal(usual, 'RS256');
    const here = `/admin/clients/${id}/change`;
    const algorithm = async () => (await get(`/api/admin/clients/${id}`)).json().id_token_signed_response_alg;
    await post(here, { ...wiki, id_token_signed_response_alg: 'ES256' });
    assert.equal(await algorithm(), 'ES256');
    assert.match((await get(here)).body, /<option value="ES256" selected>/);
    assert.match((await get(`/admin/clients/${id}`)).body, /<dt>Signature of ID tokens<\/dt><dd>ES256<\/dd>/);
    // A page that was opened before there was a choice.
    await post(here, wiki);
    assert.equal(await algorithm(), 'ES256');
    const refused = await post(here, { ...wiki, id_token_signed_response_alg: 'none' });
    assert.equal(refused.statusCode, 422);
    assert.match(refused.body, /<small class="field-error" id="id_token_signed_response_alg-error">/);
    const answer = await post(`/api${here}`, { id_token_signed_response_alg: 'HS256' });
    assert.equal(answer.statusCode, 422);
    assert.equal(await algorithm(), 'ES256');
    await post(`/api${here}`, { id_token_signed_response_alg: 'RS256' });
    assert.equal(await algorithm(), 'RS256');
  });

  test('lose what is no longer ticked in a form', async () => {
    const { add, get, post } = administrator;
    const { client_id } = await add({
      ...wiki,
      own: true,
      groups: ['admins'],
      backchannel_logout_uri: redirect,
      client_uri: redirect,
    });
    const form = await get(`/admin/clients/${client_id}/change`);
    assert.match(form.body, /name="own" value="true" checked/);
    const sent = await post(`/admin/clients/${client_id}/change`, {
      ...wiki,
      backchannel_logout_uri: '',
      client_uri: '',
    });
    assert.equal(sent.headers.location, `/admin/clients/${client_id}?state=changed`);
    const { own, groups, backchannel_logout_uri, client_uri } = (await get(`/api/admin/clients/${client_id}`)).json();
    assert.deepEqual([own, groups, backchannel_logout_uri, client_uri], [false, [], null, null]);
  });

  for (const [why, fields, faulty] of [
    ['no name', { ...wiki, name: ' ' }, 'name'],
    ['a long name', { ...wiki, name: 'x'.repeat(101) }, 'name'],
    ['a name of two lines', { ...wiki, name: 'a\nb' }, 'name'],
    ['no redirect address', { name: 'x' }, 'redirect_uris'],
    ['a script', { ...wiki, redirect_uris: ['javascript:alert(1)'] }, 'redirect_uris'],
    ['a data address', { ...wiki, redirect_uris: ['data:text/html,x'], public: true }, 'redirect_uris'],
    ['http elsewhere', { ...wiki, redirect_uris: ['http://example.com/'] }, 'redirect_uris'],
    [
      'a host that begins like loopback',
      { ...wiki, redirect_uris: ['http://localhost.example.com/'] },
      'redirect_uris',
    ],
    ['a fragment', { ...wiki, redirect_uris: [`${redirect}#a`] }, 'redirect_uris'],
    ['an empty fragment', { ...wiki, redirect_uris: [`${redirect}#`] }, 'redirect_uris'],
    ['a wildcard', { ...wiki, redirect_uris: ['https://*.example.com/'] }, 'redirect_uris'],
    ['a relative address', { ...wiki, redirect_uris: ['/callback'] }, 'redirect_uris'],
    ['a user name in the address', { ...wiki, redirect_uris: ['https://a@example.com/'] }, 'redirect_uris'],
    ['a private scheme with a secret', { ...wiki, redirect_uris: ['com.example:/cb'] }, 'redirect_uris'],
    ['a scheme without a dot', { ...wiki, redirect_uris: ['myapp:/cb'], public: true }, 'redirect_uris'],
    ['a script after logout', { ...wiki, post_logout_redirect_uris: ['javascript:1'] }, 'post_logout_redirect_uris'],
    ['http to a foreign host', { ...wiki, backchannel_logout_uri: 'http://example.com' }, 'backchannel_logout_uri'],
    ['a page at http', { ...wiki, client_uri: 'http://wiki.example.com/' }, 'client_uri'],
    ['a page that a browser takes for one of ours', { ...wiki, client_uri: 'https:wiki.example.com' }, 'client_uri'],
    ['a script as the page', { ...wiki, client_uri: 'javascript:alert(1)' }, 'client_uri'],
    ['an address that hides its host', { ...wiki, client_uri: 'https://bank.example@wiki.example.com/' }, 'client_uri'],
    ['a flag that is neither true nor false', { ...wiki, own: 'maybe' }, 'own'],
    ['an unknown group', { ...wiki, groups: ['nobody'] }, 'groups'],
    ['an unknown rule for PKCE', { ...wiki, pkce: 'plain' }, 'pkce'],
    ...['none', 'HS256', 'PS256', 'es256', ''].map(
      (name) =>
        [
          `the algorithm "${name}"`,
          { ...wiki, id_token_signed_response_alg: name },
          'id_token_signed_response_alg',
        ] as const,
    ),
    ['no rule for PKCE and no secret', { ...wiki, pkce: 'optional', public: true }, 'pkce'],
  ] as const)
    test(`are not added with ${why}`, async () => {
      const count = async () => (await clerk.get('/api/admin/clients')).json().clients.length;
      const before = await count();
      const answer = await clerk.post('/api/admin/clients/add', fields);
      assert.equal(answer.statusCode, 422, answer.body);
      assert.deepEqual(
        answer.json().errors.map(({ field }: { readonly field: string }) => field),
        [faulty],
      );
      assert.equal(await count(), before);
    });

  for (const [why, fields] of [
    ['a private scheme', { ...wiki, redirect_uris: ['com.example.app:/cb'], public: true }],
    ['loopback addresses', { ...wiki, redirect_uris: ['http://127.0.0.1/', 'http://[::1]/cb', 'http://localhost:1/'] }],
    [
      'addresses of all kinds',
      {
        ...wiki,
        redirect_uris: [redirect, 'https://localhost:3000/', 'http://[::1]/', 'com.example.app:/cb'],
        public: true,
      },
    ],
    ['the device flow alone', { name: 'TV', device: true, public: true }],
    ['a query in the address', { ...wiki, redirect_uris: [`${redirect}?a=b`] }],
  ] as const)
    test(`are added with ${why}`, async () => {
      assert.equal((await clerk.post('/api/admin/clients/add', fields)).statusCode, 201);
    });

  test('that are public have no secret to change', async () => {
    const { client_id, client_secret } = await clerk.add({ ...wiki, public: true });
    assert.equal(client_secret, null);
    for (const name of ['add-secret', 'remove-secret', 'rotate-secret'])
      assert.equal((await clerk.post(`/api/admin/clients/${client_id}/${name}`, { name: 'x' })).statusCode, 409);
    const { body } = await clerk.get(`/admin/clients/${client_id}`);
    assert.doesNotMatch(body, /-secret/);
    assert.match(body, /stolen codes<\/dt><dd>PKCE always</);
  });

  test('that use the device flow alone have no row for redirect addresses', async () => {
    const { client_id } = await clerk.add({ name: 'TV', device: true, public: true });
    assert.doesNotMatch((await clerk.get(`/admin/clients/${client_id}`)).body, /Redirect addresses/);
  });
});

describe('the resources', () => {
  const mcp = { uri: 'https://mcp.example.com', scopes: ['files:read'], token_format: 'jwt' };

  test('are added once, listed and removed', async () => {
    const { get, post, kinds } = clerk;
    const added = await post('/api/admin/resources', mcp);
    const whole = { ...mcp, alg: 'RS256', client_id: null, exchange_for: [] };
    assert.deepEqual([added.statusCode, added.json()], [201, whole]);
    assert.equal((await post('/api/admin/resources', mcp)).statusCode, 422);
    assert.deepEqual((await administrator.get('/api/admin/audit?kind=application-refused')).json().events, []);
    const form = { uri: 'http://127.0.0.1:9000/mcp', scopes: 'files:read files:write' };
    assert.equal((await post('/admin/resources', form)).headers.location, '/admin/resources?state=added');
    const { resources } = (await get('/api/admin/resources')).json();
    assert.deepEqual(resources, [
      {
        uri: form.uri,
        scopes: ['files:read', 'files:write'],
        token_format: 'opaque',
        alg: null,
        client_id: null,
        exchange_for: [],
      },
      whole,
    ]);
    const { body } = await get('/admin/resources');
    assert.match(body, /https:\/\/mcp\.example\.com/);
    // The button is in a section to open, which says what it does.
    const asked =
      /<details>\s*<summary[^>]*>Remove<\/summary>\s*<form [^>]*\/remove">\s*<p[^>]*>[^<]* cannot be undone/g;
    const forms = body.match(/action="\/admin\/resources\/remove"/g);
    assert.deepEqual([forms?.length, body.match(asked)?.length], [2, 2]);
    assert.equal((await post('/api/admin/resources/remove', { uri: mcp.uri })).statusCode, 200);
    assert.equal((await post('/api/admin/resources/remove', { uri: mcp.uri })).statusCode, 404);
    assert.deepEqual(await kinds(mcp.uri), ['resource-added', 'resource-removed']);
  });

  test('get a secret, which is shown once, by the API and on a page', async () => {
    const { get, post, kinds } = clerk;
    const uri = 'https://files.example.com';
    await post('/api/admin/resources', { uri, scopes: ['files:read'] });
    const given = (await post('/api/admin/resources/secret', { uri })).json();
    assert.match(given.client_secret, /^[\w-]{43}$/);
    assert.match(
      (await get('/admin/resources')).body,
      new RegExp(`href="/admin/resources/secret\\?uri=${encodeURIComponent(uri)}"`),
    );
    const form = await get(`/admin/resources/secret?uri=${encodeURIComponent(uri)}`);
    assert.match(form.body, new RegExp(`<title>Janua New secret: ${uri}<.*name="uri" value="${uri}"`, 's'));
    const page = await post('/admin/resources/secret', { uri });
    assert.equal(page.statusCode, 200, page.body);
    const [, secret = ''] = /<pre class="codes">([\w-]{43})</.exec(page.body) ?? [];
    assert.notEqual(secret, given.client_secret);
    const list = await get('/admin/resources');
    assert.ok(list.body.includes(given.client_id) && !list.body.includes(secret));
    const { resources } = (await get('/api/admin/resources')).json() as {
      resources: (typeof given & { uri: string })[];
    };
    assert.equal(resources.find((one) => one.uri === uri)?.client_id, given.client_id);
    for (const fields of [{ uri: 'https://none.example.com' }, { uri: 'x' }, {}]) {
      const answer = await post('/api/admin/resources/secret', fields);
      assert.equal(answer.statusCode, 404, answer.body);
    }
    await post('/api/admin/resources', mcp);
    assert.equal((await post('/api/admin/resources/secret', { uri: mcp.uri })).statusCode, 409);
    assert.deepEqual(await kinds(uri), ['resource-added', 'resource-secret-rotated', 'resource-secret-rotated']);
  });

  test('may exchange their tokens for those of others, by the API and on a page', async () => {
    const { get, post, kinds } = clerk;
    const [uri, other] = ['https://tools.example.com', 'https://notes.example.com'];
    for (const added of [uri, other]) await post('/api/admin/resources', { uri: added, scopes: ['notes:read'] });
    const pair = `${other}=notes:read`;
    const given = await post('/api/admin/resources/exchange', { uri, exchange_for: pair });
    assert.deepEqual(given.json().exchange_for, [{ uri: other, scopes: ['notes:read'] }]);
    const path = `/admin/resources/exchange?uri=${encodeURIComponent(uri)}`;
    const list = (await get('/admin/resources')).body;
    assert.ok(list.includes(`href="${path}"`) && list.includes(`Exchanges tokens for ${other}: notes:read`));
    assert.match((await get(path)).body, new RegExp(`<textarea[^>]*>${pair}</textarea>`));
    const faulty = await post('/admin/resources/exchange', { uri, exchange_for: `${other}=files:read` });
    assert.equal(faulty.statusCode, 422);
    assert.match(faulty.body, /has only these scopes: notes:read[\s\S]*=files:read<\/textarea>/);
    assert.equal((await post('/admin/resources/exchange', { uri, exchange_for: '' })).statusCode, 303);
    assert.doesNotMatch((await get('/admin/resources')).body, /Exchanges tokens/);
    assert.deepEqual(await kinds(uri), ['resource-added', 'resource-changed', 'resource-changed']);
  });

  for (const [why, fields, faulty] of [
    ['a path alone', { ...mcp, uri: '/mcp' }, 'uri'],
    ['http elsewhere', { ...mcp, uri: 'http://example.com' }, 'uri'],
    ['a fragment', { ...mcp, uri: 'https://example.com/#a' }, 'uri'],
    ['a query', { ...mcp, uri: 'https://example.com/?a' }, 'uri'],
    ['no scope', { ...mcp, scopes: [] }, 'scopes'],
    ["Janua's own scope", { ...mcp, scopes: ['users:read'] }, 'scopes'],
    ['a scope of OpenID', { ...mcp, scopes: ['files:read', 'offline_access'] }, 'scopes'],
    ['a scope with a quote', { ...mcp, scopes: ['a"b'] }, 'scopes'],
    ['another format', { ...mcp, token_format: 'saml' }, 'token_format'],
    ['another signature', { ...mcp, alg: 'none' }, 'alg'],
  ] as const)
    test(`are not added with ${why}`, async () => {
      const answer = await clerk.post('/api/admin/resources', fields);
      assert.equal(answer.statusCode, 422, answer.body);
      assert.equal(answer.json().errors[0].field, faulty);
    });
});
