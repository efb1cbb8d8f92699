import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { InjectOptions } from 'fastify';
import type { SignedIn } from '../client.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import { asJson, form, json } from '../web/faces.ts';

let janua: TestJanua;
let signedIn: SignedIn;
before(async () => {
  janua = await startJanua();
  signedIn = await janua.logIn();
});
after(() => janua[Symbol.asyncDispose]());

const good = { username: ann.username, password };

/** Every address of a GET. */
const pages = [
  '/',
  '/auth/login',
  '/auth/home',
  '/auth/verify',
  '/auth/forward',
  '/admin/me',
  '/api/me',
  '/docs',
  '/openapi.json',
  '/health/live',
  '/health/ready',
];
const actions = ['/auth/token', '/api/login', '/auth/logout', '/api/logout'];

/** Requests that lead to each answer of each route, in both formats. */
const requests: (InjectOptions & { url: string })[] = [
  ...[...pages, '/nothing', '/%zz', '/api/nothing'].map((url) => ({ method: 'GET' as const, url })),
  ...actions.flatMap((url) =>
    [
      {},
      form({ username: 'x', password: 'y' }),
      { ...json({}), payload: '{' },
      { headers: { 'content-type': 'text/plain' }, payload: 'x' },
      { headers: { origin: 'https://evil.example' } },
    ].map((sent) => ({ method: 'POST' as const, url, ...sent })),
  ),
  ...actions.map((url) => ({ method: 'PUT' as const, url })),
  { method: 'POST' as const, url: '/api/forgot-password', ...json({ email: 'no address' }) },
].flatMap((request: InjectOptions & { url: string }) => [
  request,
  { ...request, headers: { ...request.headers, ...asJson } },
]);

test('every body matches its content type, and pages name their charset', async () => {
  const types = new Set<string>();
  for (const request of requests) {
    const { body, headers, json: parse } = await janua.send(request);
    const name = `${request.method} ${request.url}`;
    if (body === '') continue;
    const type = String(headers['content-type']);
    types.add(type);
    if (type.startsWith('application/json')) assert.equal(typeof parse(), 'object', name);
    else {
      assert.equal(type, 'text/html; charset=utf-8', name);
      assert.match(body, /^<!doctype html>/, name);
    }
    if (request.url.startsWith('/api/')) assert.match(type, /^application\/json/, name);
  }
  assert.equal(types.size, 2);
});

test('every file has its content type, and text files name their charset', async () => {
  for (const [url, type] of [
    ['/assets/janua.css', 'text/css; charset=utf-8'],
    ['/assets/pico.css', 'text/css; charset=utf-8'],
    ['/assets/theme.css', 'text/css; charset=utf-8'],
    ['/docs/swagger-ui.css', 'text/css; charset=utf-8'],
    ['/assets/pages.js', 'text/javascript; charset=utf-8'],
    ['/docs/docs.js', 'text/javascript; charset=utf-8'],
    ['/docs/swagger-ui.js', 'text/javascript; charset=utf-8'],
    ['/assets/logo.svg', 'image/svg+xml'],
    ['/favicon.ico', 'image/svg+xml'],
  ] as const)
    assert.equal((await janua.get(url)).headers['content-type'], type, url);
});

test('every redirect is a 303 that may not be cached', async () => {
  let redirects = 0;
  for (const request of [...requests, { method: 'POST' as const, url: '/auth/token', ...form(good) }]) {
    for (const credential of [{}, signedIn.cookie, signedIn.bearer]) {
      if (request.url.includes('logout')) continue;
      const headers = { ...request.headers, ...credential } as Record<string, string>;
      const answer = await janua.app.inject({ ...request, headers });
      if (answer.statusCode < 300 || answer.statusCode > 399) continue;
      redirects++;
      assert.equal(answer.statusCode, 303, request.url);
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.match(String(answer.headers.location), /^\/(?!\/)/);
      signedIn = await janua.logIn();
    }
  }
  assert.ok(redirects > 5);
});

test('a private page may not be cached, even at an address that ends like a file', async () => {
  for (const url of ['/admin/me', '/auth/home', '/account', '/api/me'])
    for (const end of ['?x.css', '?x=/y.js', '?/logo.svg', '?/assets/favicon.ico']) {
      const answer = await janua.get(url + end, signedIn.cookie);
      assert.equal(answer.statusCode, 200, url + end);
      assert.equal(answer.headers['cache-control'], 'no-store', url + end);
    }
});

test('every 401 has a challenge with a realm, and each parameter once', async () => {
  let refused = 0;
  const dead = 'A'.repeat(22);
  for (const headers of [
    {},
    { cookie: `session=${dead}.${'A'.repeat(43)}` },
    { cookie: 'session=x; session=y' },
    { authorization: `Bearer janua_${dead}.${'A'.repeat(43)}` },
    { authorization: 'Bearer' },
    { authorization: 'Basic Og==' },
  ]) {
    for (const [method, url] of [
      ['GET', '/api/me'],
      ['GET', '/admin/me'],
      ['GET', '/auth/home'],
      ['POST', '/api/logout'],
      ['POST', '/auth/logout'],
    ] as const) {
      const answer = await janua.app.inject({
        method,
        url,
        headers: { ...headers, ...asJson } as Record<string, string>,
      });
      assert.equal(answer.statusCode, 401, url);
      const challenge = String(answer.headers['www-authenticate']);
      assert.match(challenge, /^Bearer realm="[^"]+"(, error="invalid_token")?$/);
      assert.equal(
        challenge.includes('error='),
        'authorization' in headers && headers.authorization.startsWith('Bearer'),
      );
      assert.match(String(answer.headers['cache-control']), /no-store/);
      refused++;
    }
  }
  assert.equal(refused, 30);
});

test('no credential is repeated in a body, an address or another header', async () => {
  const secrets = [
    signedIn.cookie.cookie.slice('session='.length),
    signedIn.bearer.authorization.slice('Bearer '.length),
  ];
  for (const url of [...pages, '/nothing', '/auth/login?state=3']) {
    for (const headers of [signedIn.cookie, signedIn.bearer, { ...signedIn.cookie, ...asJson }]) {
      const answer = await janua.app.inject({ url, headers: headers as Record<string, string> });
      const all = JSON.stringify(answer.headers) + answer.body;
      for (const secret of secrets) assert.ok(!all.includes(secret.split('.')[1] ?? ''), url);
    }
  }
  for (const login of [
    { url: '/auth/token', ...form(good) },
    { url: '/api/login', ...json(good) },
  ]) {
    const { headers, body } = await janua.app.inject({ method: 'POST', ...login });
    const { 'set-cookie': cookies, ...others } = headers;
    const secret = /session=[^.]*\.([^;]*)/.exec(String(cookies))?.[1] ?? assert.fail();
    assert.ok(!(JSON.stringify(others) + body).includes(secret), login.url);
  }
});

test('no page loads anything from, or points to, another origin', async () => {
  const assets = ['pages.js', 'passkeys.js', 'submit.js', 'janua.css', 'theme.css', 'logo.svg'];
  const files = ['/docs/docs.js', ...assets.map((name) => `/assets/${name}`)];
  for (const url of [...pages, ...files, '/nothing', '/auth/login?state=3']) {
    const { body, headers } = await janua.get(url, signedIn.cookie);
    const foreign = [...`${JSON.stringify(headers)} ${body}`.matchAll(/(?:https?:)?\/\/[\w.-]+\.[a-z]{2,}[^\s"'<]*/g)]
      .map(([address]) => address)
      // The browser does not request a namespace.
      .filter((address) => !address.startsWith('http://www.w3.org/'));
    if (url !== '/openapi.json') assert.deepEqual(foreign, [], url);
    assert.doesNotMatch(body, /(?:src|href|action)="(?:https?:)?\/\//, url);
  }
});

test('a GET or a HEAD never signs a user in or out, whatever its query or headers', async () => {
  const query = `?${new URLSearchParams({ ...good, grant_type: 'password', action: 'logout', logout: '1', state: '0' })}`;
  const other = '?account=other&prompt=login&next=/';
  for (const method of ['GET', 'HEAD'] as const) {
    for (const url of [...pages, ...actions, '/logout', '/auth/logout/']) {
      const answer = await janua.app.inject({ method, url: url + query });
      assert.equal(answer.headers['set-cookie'], undefined, url);
      await janua.app.inject({ method, url: url + query, headers: signedIn.cookie });
      // A server that reads the method from a header would log out.
      await janua.app.inject({
        method,
        url: url + other,
        headers: { ...signedIn.cookie, 'x-http-method-override': 'POST', 'x-method-override': 'POST' },
      });
    }
  }
  assert.ok(await janua.isSignedIn(signedIn.cookie));
});

test('the login form posts to our origin, allows password managers and pasting, and has no hidden token', async () => {
  for (const url of ['/', '/auth/login?state=3', '/auth/home', '/admin/me']) {
    const headers: Record<string, string> = url.includes('home') || url.includes('admin') ? signedIn.cookie : {};
    const { body } = await janua.get(url, headers);
    assert.doesNotMatch(body, /\son\w+=|autocomplete="(?:off|new-password)"/, url);
    for (const [, action, fields = ''] of body.matchAll(/<form[^>]*action="([^"]*)"(.*?)<\/form>/gs)) {
      assert.match(
        String(action),
        /^\/(?:auth\/(?:token|passkey|logout|language)|account\/security\/passkeys(?:\/decline)?)$/,
      );
      const hidden = Array.from(fields.matchAll(/type="hidden" name="(\w+)"/g), ([, name]) => name);
      // The script of passkeys fills in the answer of the passkey and the tick of the checkbox.
      const known: Record<string, string[]> = {
        '/auth/language': ['next'],
        '/auth/passkey': ['credential', 'remember'],
        '/account/security/passkeys': ['credential'],
      };
      assert.deepEqual(hidden, known[String(action)] ?? []);
    }
  }
  const script = (await janua.get('/assets/pages.js')).body;
  assert.doesNotMatch(script, /paste|clipboard\.read/);
});

test('every password field is masked, and open to password managers and pasting', async () => {
  for (const [url, expected] of [
    ['/', ['current-password']],
    ['/auth/login', ['current-password']],
    ['/auth/confirm', ['current-password']],
    ['/account/password', ['new-password']],
  ] as const) {
    const headers: Record<string, string> = /login|^.$/.test(url) ? {} : signedIn.cookie;
    const { body } = await janua.get(url, headers);
    const fields = body.match(/<input[^>]*name="\w*password"[^>]*>/g) ?? [];
    for (const field of fields) {
      assert.match(field, /type="password"/, url);
      assert.doesNotMatch(field, /\son\w+=|readonly/, url);
    }
    assert.deepEqual(
      fields.map((field) => /autocomplete="([^"]*)"/.exec(field)?.[1]),
      expected,
      url,
    );
    if (/login|^.$/.test(url)) assert.match(body, /name="username"[^>]*autocomplete="username[ "]/, url);
  }
});

test('line breaks in sent values never create a header', async () => {
  const split = 'a\r\nx-injected: yes\r\n\r\n<b>';
  const encoded = encodeURIComponent(split);
  for (const request of [
    { url: `/auth/login?state=${encoded}` },
    { url: `/auth/login?next=/${encoded}` },
    { url: `/admin/me?a=${encoded}` },
    { url: `/${encoded}` },
    { method: 'POST' as const, url: '/auth/token', ...form({ username: split, password: split, next: `/${split}` }) },
    { method: 'POST' as const, url: '/auth/token', ...form({ ...good, next: `/${split}` }) },
    { method: 'POST' as const, url: '/api/login', ...json({ username: split, password: split, grant_type: split }) },
  ]) {
    const answer = await janua.send(request);
    assert.equal(answer.headers['x-injected'], undefined);
    assert.doesNotMatch(String(answer.headers.location), /[\r\n]/);
    assert.doesNotMatch(answer.body, /<b>/);
    assert.ok(answer.statusCode < 500);
  }
});

test('no cookie is larger than browsers keep, whatever was sent', async () => {
  for (const username of ['ä'.repeat(254), 'x'.repeat(5000), `${'x'.repeat(5000)}@example.com`]) {
    const answer = await janua.post('/auth/token', {
      username,
      password: 'wrong',
      remember: 'on',
      next: `/${'x'.repeat(5000)}`,
    });
    assert.ok(answer.cookies.length > 0);
    for (const { name, value } of answer.cookies)
      assert.ok('__Host-'.length + name.length + 1 + value.length <= 4096, name);
  }
});

test('a logout clears only its own cookie, because the browser stores nothing else', async () => {
  for (const url of ['/auth/logout', '/api/logout']) {
    const { cookie } = await janua.logIn();
    const answer = await janua.post(url, undefined, cookie);
    assert.equal(answer.headers['clear-site-data'], undefined);
    assert.match(String(answer.headers['cache-control']), /no-store/);
    assert.equal([answer.headers['set-cookie']].flat().length, 1);
  }
});

test('scripts are the same for every visitor, and JSON is never served as a script', async () => {
  for (const url of ['/assets/pages.js', '/docs/docs.js']) {
    const [anonymous, known] = [await janua.get(url), await janua.get(url, signedIn.cookie)];
    assert.equal(known.body, anonymous.body);
  }
  for (const name of ['callback', 'jsonp', 'cb']) {
    const plain = await janua.get('/api/me', signedIn.cookie);
    const { body, headers } = await janua.get(`/api/me?${name}=steal`, signedIn.cookie);
    assert.equal(body, plain.body);
    assert.match(String(headers['content-type']), /^application\/json/);
  }
});

test('every refusal in JSON has a detail, a title, its status and the request id', async () => {
  let refused = 0;
  for (const { headers, ...request } of requests) {
    const answer = await janua.app.inject({ ...request, headers: { ...headers, ...asJson } });
    if (answer.statusCode < 400) continue;
    const { detail, title, status, request_id } = answer.json();
    const name = `${request.method} ${request.url}`;
    assert.deepEqual([typeof detail, typeof title, status], ['string', 'string', answer.statusCode], name);
    assert.equal(request_id, answer.headers['x-request-id'], name);
    refused++;
  }
  assert.ok(refused > 20);
});
