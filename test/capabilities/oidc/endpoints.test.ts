import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { basic, openProvider, type ProviderUnderTest, post } from './application.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
  await server.addApplication();
});
after(() => server[Symbol.asyncDispose]());

const ownOrigin = 'https://app.example.com';
const documents = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', '/oidc/jwks'];

const allowed = ({ headers }: Response) => headers.get('access-control-allow-origin');

describe('a script of another origin', () => {
  test('reads the documents and the keys, whatever its origin', async () => {
    for (const path of documents) {
      const origin = 'https://other.example.com';
      const answer = await fetch(server.origin + path, { headers: { origin } });
      assert.ok(['*', origin].includes(allowed(answer) ?? ''), path);
      assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    }
  });

  test('reads tokens only if a redirect address of the client has exactly its origin', async () => {
    const app = await server.addApplication();
    const tokens = await app.signIn(await server.browser());
    const isLetIn: Readonly<Record<string, boolean>> = {
      [ownOrigin]: true,
      'https://evil-app.example.com': false,
      'https://app.example.com.evil.example': false,
      'https://app.example.com:8443': false,
      'http://app.example.com': false,
      null: false,
    };
    for (const [origin, isAllowed] of Object.entries(isLetIn)) {
      const headers = { ...basic(app), origin };
      const answers = [
        await fetch(`${server.origin}/oidc/userinfo`, {
          headers: { authorization: `Bearer ${tokens.access_token}`, origin },
        }),
        await post(server, '/oidc/token', { grant_type: 'refresh_token', refresh_token: 'wrong' }, headers),
        await post(server, '/oidc/revocation', { token: 'wrong' }, headers),
      ];
      for (const answer of answers) {
        assert.equal(allowed(answer), isAllowed ? origin : null, `${answer.url} from ${origin}`);
        assert.equal(answer.headers.get('access-control-allow-credentials'), null);
      }
    }
  });

  test('on the loopback host of a redirect address reads tokens from any port', async () => {
    // The origin of a scheme of its own is null, as that of a frame in a sandbox.
    const redirectUris = ['http://localhost/callback', 'com.example.app:/callback'];
    const app = await server.addApplication({ isPublic: true, redirectUris });
    const isLetIn: Readonly<Record<string, boolean>> = {
      'http://localhost': true,
      'http://localhost:5173': true,
      'http://127.0.0.1:5173': false,
      'https://localhost:5173': false,
      'http://localhost.example.com': false,
      'http://localhost:5173.example.com': false,
      null: false,
    };
    const fields = { grant_type: 'refresh_token', refresh_token: 'wrong', client_id: app.clientId };
    for (const [origin, isAllowed] of Object.entries(isLetIn))
      assert.equal(
        allowed(await post(server, '/oidc/token', fields, { origin })),
        isAllowed ? origin : null,
        `from ${origin}`,
      );
  });

  test('may ask before it sends', async () => {
    for (const path of ['/oidc/token', '/oidc/userinfo', '/oidc/revocation', ...documents]) {
      const answer = await fetch(server.origin + path, {
        method: 'OPTIONS',
        headers: {
          origin: ownOrigin,
          'access-control-request-method': documents.includes(path) ? 'GET' : 'POST',
          'access-control-request-headers': 'authorization',
        },
      });
      assert.equal(answer.status, 204, path);
      assert.equal(allowed(answer), ownOrigin, path);
      assert.match(answer.headers.get('access-control-allow-methods') ?? '', /GET|POST/);
      assert.match(answer.headers.get('access-control-allow-headers') ?? '', /authorization/);
    }
  });
});

describe('the addresses of the protocol', () => {
  test('answer HEAD as GET, without a body', async () => {
    for (const path of documents) {
      const answer = await fetch(server.origin + path, { method: 'HEAD' });
      assert.deepEqual([answer.status, await answer.text()], [200, ''], path);
      assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8', path);
    }
  });

  test('answer JSON and no script, whatever the query names', async () => {
    for (const path of documents)
      for (const name of ['callback', 'jsonp', 'cb']) {
        const answer = await fetch(`${server.origin}${path}?${name}=steal`);
        assert.match(answer.headers.get('content-type') ?? '', /^application\/json\b/, path);
        assert.equal(typeof (await answer.json()), 'object', path);
      }
  });

  test('take no other methods', async () => {
    const wrong: readonly (readonly [string, string])[] = [
      ['GET', '/oidc/token'],
      ['GET', '/oidc/revocation'],
      ['GET', '/oidc/introspection'],
      ['GET', '/oidc/device-authorization'],
      ['GET', '/oidc/par'],
      ['PUT', '/oidc/userinfo'],
      ['DELETE', '/oidc/auth'],
      ['PUT', '/oidc/logout'],
      ['POST', '/oidc/jwks'],
      ['POST', '/.well-known/openid-configuration'],
    ];
    for (const [method, path] of wrong) {
      const answer = await fetch(server.origin + path, { method });
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.ok(answer.headers.get('allow'), `${method} ${path}`);
    }
  });

  test('answer OPTIONS', async () => {
    for (const path of ['/oidc/token', '/oidc/auth', '/oidc/logout', '/oidc/device', ...documents]) {
      const { status, headers } = await fetch(server.origin + path, { method: 'OPTIONS' });
      assert.equal(status, 204, path);
      assert.match(headers.get('allow') ?? '', /GET|POST/);
    }
  });

  test('answer a revocation in JSON, which libraries in browsers need', async () => {
    const app = await server.addApplication();
    const tokens = await app.signIn(await server.browser());
    for (const token of [tokens.refresh_token ?? '', tokens.access_token, 'wrong']) {
      const answer = await post(server, '/oidc/revocation', { token }, { ...basic(app), origin: ownOrigin });
      assert.deepEqual([answer.status, allowed(answer)], [200, ownOrigin]);
      assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8');
      assert.deepEqual(await answer.json(), {});
    }
  });

  test('refuse bodies that are no form, are too long, or repeat a field', async () => {
    const app = await server.addApplication();
    const send = async (body: string, type: string) => {
      const headers = { ...basic(app), 'content-type': type };
      const answer = await fetch(`${server.origin}/oidc/token`, { method: 'POST', body, headers });
      return answer.status;
    };
    const form = 'application/x-www-form-urlencoded';
    const fields = 'grant_type=refresh_token&refresh_token=wrong';
    assert.equal(await send(fields, form), 400);
    for (const [body, type] of [
      [JSON.stringify({ grant_type: 'refresh_token', refresh_token: 'wrong' }), 'application/json'],
      [`${fields}&more=${'x'.repeat(200_000)}`, form],
      [`${fields}&refresh_token=other`, form],
      [fields, 'text/plain'],
    ] as const) {
      const status = await send(body, type);
      assert.ok(status >= 400 && status < 500, `${type}: ${status}`);
    }
  });

  test('are all there from the first client on, and say so before', async () => {
    await using own = await openProvider();
    for (const path of documents) assert.equal((await fetch(own.origin + path)).status, 404);
    await own.addApplication();
    for (const path of documents) assert.equal((await fetch(own.origin + path)).status, 200);
  });
});
