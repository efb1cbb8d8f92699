import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { ann, password } from '../../janua.ts';
import {
  type Application,
  basic,
  codeFields,
  openProvider,
  type ProviderUnderTest,
  post,
  readToken,
  requireAnswer,
} from './application.ts';
import type { Browser } from './browser.ts';

type Sent = Readonly<Record<string, string>>;

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
});
after(() => server[Symbol.asyncDispose]());

/** Begins a sign-in, and gives the answer that the application gets. */
async function ask(app: Application, browser: Browser, parameters: Sent = {}, without: readonly string[] = []) {
  const begun = await app.begin(parameters);
  for (const name of without) begun.address.searchParams.delete(name);
  return { begun, answer: requireAnswer(await browser.open(begun.address)) };
}

/** The code of the refusal. Only an answer of the implicit flow is in the fragment. */
async function errorOf(...asked: Parameters<typeof ask>): Promise<string | null> {
  const { searchParams, hash } = (await ask(...asked)).answer;
  return searchParams.get('error') ?? new URLSearchParams(hash.slice(1)).get('error');
}

const userInfo = (app: Application, { access_token }: { readonly access_token: string }) =>
  openid.fetchUserInfo(app.config, access_token, openid.skipSubjectCheck);

/** Each test gets an application of its own, and a browser in which Ann is signed in. */
type Run = (app: Application, browser: Browser) => Promise<void>;

const basicPlan: Readonly<Record<string, Run>> = {
  'a request without a response type is refused at the application': async (app, browser) => {
    const { begun, answer } = await ask(app, browser, {}, ['response_type']);
    assert.equal(answer.searchParams.get('error'), 'invalid_request');
    assert.equal(answer.searchParams.get('state'), begun.state);
    assert.equal(answer.searchParams.get('iss'), server.origin);
  },
  'other response types are refused': async (app, browser) => {
    for (const type of ['token', 'id_token', 'code id_token', 'none'])
      assert.match(
        (await errorOf(app, browser, { response_type: type })) ?? '',
        /^(unsupported_response_type|invalid_request)$/,
      );
  },
  'other response modes are refused': async (app, browser) => {
    for (const mode of ['fragment', 'form_post']) {
      const { address } = await app.begin({ response_mode: mode });
      const place = await browser.open(address);
      assert.ok(!place.isElsewhere || !place.url.searchParams.has('code'), mode);
      assert.ok(!place.url.hash.includes('code='), mode);
    }
  },
  'the ID token is signed, and meant for this sign-in': async (app, browser) => {
    const { begun, answer } = await ask(app, browser);
    const { id_token: token = '' } = await app.finish(begun, answer);
    const { claims, alg, kid } = await readToken(server, token);
    assert.equal(alg, 'RS256');
    assert.ok(kid);
    assert.equal(claims.iss, server.origin);
    assert.equal(claims.aud, app.clientId);
    assert.equal(claims.nonce, begun.nonce);
    assert.equal(claims.exp - claims.iat, 3600);
    assert.equal(answer.searchParams.get('iss'), server.origin);
  },
  'userinfo answers GET, POST with a header, and POST with a body': async (app, browser) => {
    const { access_token: token } = await app.signIn(browser);
    const headers = { authorization: `Bearer ${token}` };
    const address = `${server.origin}/oidc/userinfo`;
    const answers = [
      await fetch(address, { headers }),
      await fetch(address, { method: 'POST', headers }),
      await post(server, '/oidc/userinfo', { access_token: token }),
    ];
    for (const answer of answers) {
      assert.equal(answer.status, 200);
      assert.equal(((await answer.json()) as { email: string }).email, ann.username);
    }
    assert.notEqual((await fetch(`${address}?access_token=${token}`)).status, 200);
  },
  'a request without a nonce gets an ID token without one': async (app, browser) => {
    const { begun, answer } = await ask(app, browser, {}, ['nonce']);
    const answered = await post(server, '/oidc/token', codeFields(begun, answer), basic(app));
    const { id_token: token } = (await answered.json()) as { id_token: string };
    assert.ok(!('nonce' in (await readToken(server, token)).claims));
  },
  'each scope gives its claims, in the ID token and at userinfo': async (app, browser) => {
    const claimsOf: Readonly<Record<string, readonly string[]>> = {
      openid: [],
      profile: ['name', 'given_name', 'family_name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    };
    const all = Object.values(claimsOf).flat();
    for (const [scope, names] of Object.entries(claimsOf)) {
      const tokens = await app.signIn(browser, { scope: `openid ${scope}` });
      const got = [tokens.claims(), await userInfo(app, tokens)];
      for (const claims of got) {
        assert.ok(claims);
        assert.deepEqual(
          all.filter((name) => name in claims),
          names,
          scope,
        );
      }
      assert.equal(got[0]?.sub, got[1]?.sub);
    }
  },
  'a request without the scope openid gets no ID token, and no claims': async (app, browser) => {
    const tokens = await app.signIn(browser, { scope: 'profile' });
    assert.equal(tokens.id_token, undefined);
    await assert.rejects(userInfo(app, tokens));
    assert.equal(await errorOf(app, browser, { scope: 'profile', nonce: 'x' }), 'invalid_request');
  },
  'display changes nothing': async (app, browser) => {
    for (const display of ['page', 'popup']) assert.ok((await app.signIn(browser, { display })).id_token);
  },
  'prompt=login wants a new proof, and the session goes on': async (app, browser) => {
    const first = await app.signIn(browser);
    server.janua.pass(5_000);
    const begun = await app.begin({ prompt: 'login' });
    const page = await browser.open(begun.address);
    assert.match(page.url.pathname, /^\/auth\/confirm/);
    const again = await browser.open(page.url.searchParams.get('next') ?? '');
    assert.match(again.url.pathname, /^\/auth\/confirm/);
    const next = page.url.searchParams.get('next') ?? '';
    const tokens = await app.finish(begun, requireAnswer(await browser.submit('/auth/confirm', { password, next })));
    assert.ok(Number(tokens.claims()?.auth_time) >= Number(first.claims()?.auth_time) + 5);
    assert.ok((await userInfo(app, first)).sub);
  },
  'prompt=none gives a code in a session, and an error without': async (app, browser) => {
    assert.ok((await app.signIn(browser, { prompt: 'none' })).id_token);
    const stranger = await server.browser(false);
    assert.equal(await errorOf(app, stranger, { prompt: 'none' }), 'login_required');
    assert.equal(await errorOf(app, browser, { prompt: 'none login' }), 'invalid_request');
  },
  'max_age=10000 lets a session pass, and tells when its user proved who they are': async (app, browser) => {
    const first = await app.signIn(browser, { max_age: '10000' });
    const second = await app.signIn(browser, { max_age: '10000' });
    assert.ok(first.claims()?.auth_time);
    assert.equal(first.claims()?.auth_time, second.claims()?.auth_time);
  },
  'an unknown parameter is ignored': async (app, browser) => {
    assert.ok((await app.signIn(browser, { extra: 'foobar' })).id_token);
  },
  'id_token_hint of the user lets the sign-in pass': async (app, browser) => {
    const { id_token = '' } = await app.signIn(browser);
    assert.ok((await app.signIn(browser, { prompt: 'none', id_token_hint: id_token })).id_token);
  },
  'id_token_hint of the user lets a login pass, and no login of another user': async (app, browser) => {
    const first = await app.signIn(browser);
    await server.janua.people.add({ username: 'bob@example.com', firstName: 'Bob', lastName: 'Baker', password });
    for (const [username, error] of [
      [ann.username, null],
      ['bob@example.com', 'login_required'],
    ] as const) {
      const other = await server.browser(false);
      const begun = await app.begin({ id_token_hint: first.id_token ?? '' });
      const next = (await other.open(begun.address)).url.searchParams.get('next') ?? '';
      const answer = requireAnswer(await other.submit('/auth/token', { username, password, next }));
      assert.equal(answer.searchParams.get('error'), error);
      if (error === null) assert.equal((await app.finish(begun, answer)).claims()?.sub, first.claims()?.sub);
    }
  },
  'login_hint is filled in on the login page': async (app) => {
    const browser = await server.browser(false);
    const { address } = await app.begin({ login_hint: 'ann"@example.com' });
    const page = await browser.open(address);
    assert.match(page.text, /name="username" value="ann&quot;@example.com"/);
    const next = page.url.searchParams.get('next') ?? '';
    assert.ok((await browser.submit('/auth/token', { username: ann.username, password, next })).isElsewhere);
  },
  'ui_locales picks the language of the pages': async (app) => {
    const browser = await server.browser(false);
    const { address } = await app.begin({ ui_locales: 'xx fr-CA de' });
    const page = await browser.open(address);
    assert.equal(page.headers.get('content-language'), 'fr');
    const { address: other } = await app.begin({ ui_locales: 'tlh' });
    assert.equal((await browser.open(other)).headers.get('content-language'), 'en');
  },
  'claims names single claims': async (app, browser) => {
    const claims = JSON.stringify({ userinfo: { name: { essential: true } }, id_token: { email: null } });
    const tokens = await app.signIn(browser, { scope: 'openid', claims });
    assert.equal((await userInfo(app, tokens)).name, 'Ann Archer');
    assert.equal(tokens.claims()?.email, ann.username);
    assert.equal(tokens.claims()?.family_name, undefined);
    for (const wrong of ['{', '[]', '"name"', '{"userinfo":1}'])
      assert.equal(await errorOf(app, browser, { claims: wrong }), 'invalid_request', wrong);
  },
  'acr_values that are not there are only a wish': async (app, browser) => {
    const tokens = await app.signIn(browser, { acr_values: 'urn:other:1 urn:other:2' });
    assert.equal(tokens.claims()?.acr, 'urn:janua:1fa');
  },
  'a redirect address that is not registered gets nothing': async (app, browser) => {
    const { address } = await app.begin({ redirect_uri: 'https://evil.example.com/callback' });
    const page = await browser.open(address);
    assert.deepEqual([page.isElsewhere, page.status], [false, 400]);
  },
  'a request without a redirect address gets nothing': async (app, browser) => {
    const { address } = await app.begin();
    address.searchParams.delete('redirect_uri');
    const page = await browser.open(address);
    assert.deepEqual([page.isElsewhere, page.status], [false, 400]);
  },
  'a client proves itself by a secret in the body or by Basic, and no other secret counts': async (app, browser) => {
    const sent = { client_id: app.clientId, client_secret: app.secret ?? '' };
    for (const [fields, headers] of [
      [sent, {}],
      [{}, basic(app)],
    ] as const) {
      const { begun, answer } = await ask(app, browser);
      const answered = await post(server, '/oidc/token', { ...codeFields(begun, answer), ...fields }, headers);
      assert.equal(answered.status, 200);
      assert.match(answered.headers.get('cache-control') ?? '', /no-store/);
    }
    for (const [fields, headers] of [
      [{ ...sent, client_secret: 'wrong' }, {}],
      [{ client_id: app.clientId }, {}],
      [{}, basic({ ...app, secret: 'wrong' })],
    ] as const) {
      const { begun, answer } = await ask(app, browser);
      const answered = await post(server, '/oidc/token', { ...codeFields(begun, answer), ...fields }, headers);
      const { error } = (await answered.json()) as { error: string };
      assert.deepEqual([answered.status, error], [401, 'invalid_client']);
      if ('authorization' in headers) assert.match(answered.headers.get('www-authenticate') ?? '', /^Basic /);
    }
  },
  'request objects are refused properly': async (app, browser) => {
    assert.equal(await errorOf(app, browser, { request: 'eyJhbGciOiJub25lIn0.e30.' }), 'request_not_supported');
    const uri = 'https://app.example.com/request';
    assert.equal(await errorOf(app, browser, { request_uri: uri }), 'request_uri_not_supported');
    assert.equal(await errorOf(app, browser, { registration: '{}' }), 'registration_not_supported');
  },
  'PKCE is right, or nothing is given': async (app, browser) => {
    const all = ['code_challenge', 'code_challenge_method', 'nonce'];
    assert.equal(await errorOf(app, browser, {}, all), 'invalid_request');
    assert.equal(await errorOf(app, browser, { code_challenge_method: 'plain' }), 'invalid_request');
    assert.equal(await errorOf(app, browser, {}, ['code_challenge_method']), 'invalid_request');
    for (const verifier of [openid.randomPKCECodeVerifier(), '']) {
      const { begun, answer } = await ask(app, browser);
      const answered = await post(server, '/oidc/token', codeFields({ ...begun, verifier }, answer), basic(app));
      assert.equal(((await answered.json()) as { error: string }).error, 'invalid_grant');
    }
  },
  'a client chooses how its ID tokens are signed, while its user is signed in': async (app, browser) => {
    let former = await app.signIn(browser);
    for (const idTokenAlg of ['ES256', 'RS256'] as const) {
      await server.janua.services.clientAdministration.changeClient(app.clientId, { idTokenAlg });
      const refreshed = await openid.refreshTokenGrant(app.config, former.refresh_token ?? '');
      const hinted = await app.signIn(browser, { prompt: 'none', id_token_hint: former.id_token ?? '' });
      for (const { id_token: token = '' } of [refreshed, hinted]) {
        const { alg, claims } = await readToken(server, token);
        assert.deepEqual([alg, claims.sub, claims.sid], [idTokenAlg, former.claims()?.sub, former.claims()?.sid]);
      }
      former = hinted;
    }
  },
  'a refresh gives new tokens for the same user': async (app, browser) => {
    const first = await app.signIn(browser);
    const second = await openid.refreshTokenGrant(app.config, first.refresh_token ?? '');
    assert.notEqual(second.access_token, first.access_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.equal(second.claims()?.sub, first.claims()?.sub);
    assert.equal(second.claims()?.auth_time, first.claims()?.auth_time);
    const narrow = await openid.refreshTokenGrant(app.config, second.refresh_token ?? '', { scope: 'openid' });
    assert.equal((await userInfo(app, narrow)).email, undefined);
    const wide = openid.refreshTokenGrant(app.config, narrow.refresh_token ?? '', { scope: 'openid offline_access' });
    await assert.rejects(wide, { error: 'invalid_scope' });
  },
};

describe('the checks of the plan for basic providers', () => {
  for (const [name, run] of Object.entries(basicPlan)) {
    test(name, async () => run(await server.addApplication(), await server.browser()));
  }

  test('max_age=1 wants a new proof after two seconds', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    await using own = await openProvider();
    const [app, browser] = [await own.addApplication(), await own.browser()];
    const first = await app.signIn(browser, { max_age: '1' });
    t.mock.timers.tick(2_000);
    assert.equal(await errorOf(app, browser, { max_age: '1', prompt: 'none' }), 'login_required');
    const begun = await app.begin({ max_age: '1' });
    const page = await browser.open(begun.address);
    assert.match(page.url.pathname, /^\/auth\/confirm/);
    const next = page.url.searchParams.get('next') ?? '';
    const tokens = await app.finish(begun, requireAnswer(await browser.submit('/auth/confirm', { password, next })));
    assert.ok(Number(tokens.claims()?.auth_time) > Number(first.claims()?.auth_time));
  });
});

interface Metadata extends Readonly<Record<string, unknown>> {
  readonly issuer: string;
}

const documents = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'];

describe('the documents of the provider', () => {
  for (const path of documents) {
    test(`${path} says what there is, and nothing else`, async () => {
      await server.addApplication();
      const answer = await fetch(server.origin + path);
      assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
      const metadata = (await answer.json()) as Metadata;
      assert.equal(metadata.issuer, server.origin);
      for (const [name, value] of Object.entries(metadata))
        if (/_endpoint$|_uri$/.test(name)) assert.ok(String(value).startsWith(`${server.origin}/oidc/`), name);
      const of = (name: string) => [metadata[name]].flat().sort();
      assert.deepEqual(of('response_types_supported'), ['code']);
      assert.deepEqual(of('response_modes_supported'), ['form_post', 'query']);
      assert.deepEqual(of('code_challenge_methods_supported'), ['S256']);
      assert.deepEqual(of('grant_types_supported'), [
        ...['authorization_code', 'client_credentials', 'refresh_token'],
        'urn:ietf:params:oauth:grant-type:device_code',
        'urn:ietf:params:oauth:grant-type:token-exchange',
      ]);
      assert.deepEqual(of('subject_types_supported'), ['public']);
      // Users who have chosen no language have none.
      assert.ok(!of('claims_supported').includes('locale') && of('claims_supported').includes('name'));
      // Neither `none`, nor one whose key is a secret.
      assert.deepEqual(of('id_token_signing_alg_values_supported'), ['ES256', 'RS256']);
      assert.deepEqual(of('acr_values_supported'), ['urn:janua:1fa', 'urn:janua:2fa']);
      assert.deepEqual(of('scopes_supported'), ['email', 'groups', 'offline_access', 'openid', 'profile']);
      assert.deepEqual(of('token_endpoint_auth_methods_supported'), [
        ...['client_secret_basic', 'client_secret_post', 'none', 'private_key_jwt'],
      ]);
      const signatures = ['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256'];
      assert.deepEqual(of('token_endpoint_auth_signing_alg_values_supported'), signatures);
      assert.deepEqual(of('dpop_signing_alg_values_supported'), ['ES256', 'Ed25519', 'EdDSA']);
      for (const name of [
        ...['authorization_response_iss_parameter_supported', 'claims_parameter_supported'],
        ...['backchannel_logout_supported', 'backchannel_logout_session_supported'],
      ])
        assert.equal(metadata[name], true, name);
      for (const name of [
        ...['registration_endpoint', 'require_pushed_authorization_requests'],
        ...['request_parameter_supported', 'request_object_signing_alg_values_supported', 'check_session_iframe'],
        ...['client_id_metadata_document_supported', 'frontchannel_logout_supported'],
      ])
        assert.ok(!metadata[name], name);
    });
  }

  test('the keys have no private parts', async () => {
    await server.addApplication();
    const { keys } = (await (await fetch(`${server.origin}/oidc/jwks`)).json()) as { keys: Record<string, string>[] };
    assert.deepEqual(keys.map(({ alg }) => alg).sort(), ['ES256', 'RS256']);
    for (const key of keys) {
      assert.deepEqual(
        ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'].filter((name) => name in key),
        [],
      );
      assert.equal(key.use, 'sig');
      assert.ok(key.kid);
    }
  });

  test('a new key is published before it signs, and the old one stays for a day', async () => {
    await using own = await openProvider();
    const [app, browser] = [await own.addApplication(), await own.browser()];
    const fast = await own.addApplication({ idTokenAlg: 'ES256' });
    const { id_token: old = '' } = await app.signIn(browser);
    const { id_token: fastOld = '' } = await fast.signIn(browser);
    const before = await readToken(own, old);
    const fastBefore = await readToken(own, fastOld);
    assert.deepEqual([before.alg, fastBefore.alg], ['RS256', 'ES256']);
    own.janua.pass(200_000);
    await own.janua.services.rotateSigningKeys();
    own.janua.pass(61_000);
    // Another process may not know the new key yet.
    assert.equal((await readToken(own, (await app.signIn(browser)).id_token ?? '')).kid, before.kid);
    assert.equal((await readToken(own, (await fast.signIn(browser)).id_token ?? '')).kid, fastBefore.kid);
    const { keys } = (await (await fetch(`${own.origin}/oidc/jwks`)).json()) as { keys: object[] };
    assert.equal(keys.length, 4);
    own.janua.pass(121_000);
    const { id_token: young = '' } = await app.signIn(browser, { id_token_hint: old });
    assert.notEqual((await readToken(own, young)).kid, before.kid);
    assert.equal((await readToken(own, old)).kid, before.kid);
    const { id_token: fastYoung = '' } = await fast.signIn(browser, { prompt: 'none', id_token_hint: fastOld });
    assert.notEqual((await readToken(own, fastYoung)).kid, fastBefore.kid);
    await browser.open(`/oidc/logout?id_token_hint=${old}`);
    assert.equal((await browser.open('/api/me')).status, 401, 'a hint of the old key counts');
    own.janua.pass(25 * 3_600_000);
    await fetch(`${own.origin}/oidc/jwks`);
    own.janua.pass(61_000);
    for (const token of [old, fastOld]) await assert.rejects(readToken(own, token), /no key/);
  });
});
