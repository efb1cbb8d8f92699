import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ann, password, startJanua } from '../../janua.ts';
import { form, json } from '../faces.ts';

const ours = 'http://localhost:5000';
const listed = 'https://app.example.com';

type Headers = Record<string, string>;

const passing: Headers[] = [
  {},
  { 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'none' },
  { 'sec-fetch-site': 'same-origin', origin: 'null' },
  { 'sec-fetch-site': 'same-origin', origin: ours },
  { origin: ours },
  { origin: 'http://127.0.0.1:5000' },
];

const refused: Headers[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'cross-site', origin: ours },
  { 'sec-fetch-site': 'same-site', origin: ours },
  { origin: 'null' },
  { origin: '' },
  { origin: 'http://localhost' },
  { origin: 'http://localhost:5001' },
  { origin: 'https://localhost:5000' },
  { origin: 'http://localhost:5000.evil.example' },
  { origin: 'http://evil-localhost:5000' },
  { origin: `${ours}/` },
  { origin: `${ours}, ${ours}` },
  { origin: 'HTTP://LOCALHOST:5000' },
  { origin: 'https://evil.example' },
  { origin: 'https://evil.example', host: 'evil.example', 'x-forwarded-host': 'evil.example' },
  { 'sec-fetch-site': 'unknown', origin: 'https://evil.example' },
  { 'sec-fetch-site': 'Cross-Site' },
  { 'sec-fetch-site': 'cross-site, cross-site' },
];

const actions = [
  ['POST', '/auth/token'],
  ['POST', '/api/login'],
  ['POST', '/auth/logout'],
  ['POST', '/api/logout'],
  ['POST', '/auth/confirm'],
  ['POST', '/api/confirm'],
] as const;

describe('a request from our own pages or from a program is carried out', () => {
  for (const headers of passing) {
    test(JSON.stringify(headers), async () => {
      await using janua = await startJanua();
      for (const [method, url] of actions) {
        const sent = json({ username: ann.username, password });
        const answer = await janua.app.inject({ method, url, ...sent, headers: { ...sent.headers, ...headers } });
        assert.notEqual(answer.statusCode, 403, url);
      }
    });
  }
});

describe('a request from another site is refused before any effect', () => {
  for (const headers of refused) {
    test(JSON.stringify(headers), async () => {
      await using janua = await startJanua();
      const { cookie } = await janua.logIn();
      for (const [method, url] of [
        ...actions,
        ['PUT', '/auth/token'],
        ['DELETE', '/nothing'],
        ['PATCH', '/api/me'],
      ] as const) {
        for (const body of [
          json({ username: ann.username, password }),
          form({ username: ann.username, password }),
          { headers: { 'content-type': 'text/plain' }, payload: 'x' },
        ]) {
          const answer = await janua.app.inject({
            method,
            url,
            ...body,
            headers: { ...body.headers, ...cookie, ...headers },
          });
          assert.equal(answer.statusCode, 403, `${method} ${url}`);
          assert.equal(answer.headers['set-cookie'], undefined);
          assert.doesNotMatch(answer.body, /access_token|evil/);
          if (url.startsWith('/api/')) assert.equal(typeof answer.json().detail, 'string');
          else assert.match(answer.body, /<title>Janua Forbidden<\/title>/);
        }
      }
      assert.ok(await janua.isSignedIn(cookie));
    });
  }
});

test('every site may send a GET', async () => {
  await using janua = await startJanua();
  for (const headers of refused) {
    assert.equal((await janua.get('/auth/login', headers)).statusCode, 200);
  }
});

test('with PUBLIC_URL, only its origin counts as our own', async () => {
  await using janua = await startJanua({ settings: { PUBLIC_URL: 'https://auth.example.com/' } });
  const statusOf = async (origin: string) => (await janua.post('/api/logout', undefined, { origin })).statusCode;
  assert.equal(await statusOf('https://auth.example.com'), 401);
  for (const origin of [
    ours,
    'https://auth.example.com:8443',
    'http://auth.example.com',
    'https://x.auth.example.com',
  ]) {
    assert.equal(await statusOf(origin), 403, origin);
  }
});

describe('CORS', () => {
  test('is off without CORS_ORIGINS', async () => {
    await using janua = await startJanua();
    for (const method of ['GET', 'OPTIONS', 'POST'] as const) {
      const answer = await janua.app.inject({ method, url: '/api/login', headers: { origin: listed } });
      assert.deepEqual(
        Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
        [],
      );
    }
  });

  test('lets a listed origin act and read, and answers with its exact value and Vary', async () => {
    await using janua = await startJanua({ settings: { CORS_ORIGINS: [listed] } });
    const sent = json({ username: ann.username, password });
    const headers = { ...sent.headers, origin: listed, 'sec-fetch-site': 'same-site' };
    const answer = await janua.app.inject({ method: 'POST', url: '/api/login', ...sent, headers });
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['access-control-allow-origin'], listed);
    assert.equal(answer.headers.vary, 'Origin');
    const redirect = await janua.get('/admin/me', { origin: listed });
    assert.equal(redirect.headers.vary, 'x-expected-format, Origin');
    const page = await janua.get('/auth/login', { origin: listed });
    assert.equal(page.headers['access-control-allow-origin'], listed);
    assert.equal(page.headers.vary, 'x-expected-format, Origin, Accept-Language, Cookie');
  });

  test('allows the headers and methods in use in a preflight of a listed origin', async () => {
    await using janua = await startJanua({ settings: { CORS_ORIGINS: [listed] } });
    const headers = { origin: listed, 'access-control-request-method': 'POST' };
    const answer = await janua.app.inject({ method: 'OPTIONS', url: '/api/login', headers });
    assert.equal(answer.statusCode, 204);
    assert.equal(answer.headers['access-control-allow-methods'], 'GET, HEAD, POST');
    assert.equal(answer.headers['access-control-allow-headers'], 'authorization, content-type, x-expected-format');
    assert.equal(answer.headers.allow, 'POST, OPTIONS');
  });

  test('refuses unlisted origins, without CORS headers', async () => {
    await using janua = await startJanua({ settings: { CORS_ORIGINS: [listed] } });
    for (const origin of [
      'null',
      'https://app.example.com.evil.example',
      'https://evil-app.example.com',
      'http://app.example.com',
      `${listed}:8443`,
    ]) {
      const answer = await janua.post('/api/logout', undefined, { origin });
      assert.equal(answer.statusCode, 403);
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
      assert.equal(answer.headers.vary, 'Origin, Accept');
    }
  });
});
