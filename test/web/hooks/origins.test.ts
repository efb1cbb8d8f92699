import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '../server.ts';

const listed = 'https://app.example.com';

let server: TestServer;
before(async () => {
  server = await startServer({ corsOrigins: new Set([listed]), parts: { logOut: async () => {} } });
});
after(() => server[Symbol.asyncDispose]());

type Headers = Record<string, string>;

const logOut = async (headers: Headers) => (await server.post('/api/logout', undefined, headers)).statusCode;

test('where an origin is listed, no other one may read, and no request without an origin', async () => {
  for (const origin of [
    undefined,
    'http://localhost',
    'http://localhost:3000',
    'https://localhost',
    'http://127.0.0.1:3000',
    'http://app.example.com',
    'https://app.example.com.',
    'https://APP.example.com',
    `${listed}/`,
  ])
    for (const url of ['/health/live', '/assets/logo.svg', '/nothing']) {
      const { headers } = await server.get(url, origin === undefined ? {} : { origin });
      assert.equal(headers['access-control-allow-origin'], undefined, String(origin));
      assert.equal(headers['access-control-allow-credentials'], undefined, String(origin));
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin', String(origin));
    }
});

test('an origin that another spelling would make ours is not ours', async () => {
  for (const origin of [
    'http://localhost.:5000',
    'http://localhost:5000.',
    'http://localhost:05000',
    'http://127.1:5000',
    'http://a@localhost:5000',
    'http://localhost:5000?',
  ])
    assert.equal(await logOut({ origin }), 403, origin);
});

test('a request of another site is refused, whatever program it claims to come from', async () => {
  for (const foreign of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }] as Headers[])
    for (const more of [
      { 'user-agent': 'curl/8.5.0' },
      { 'user-agent': 'kube-probe/1.31' },
      { 'user-agent': 'GoogleHC/1.0' },
      { 'user-agent': '' },
      { authorization: 'Bearer x' },
      { 'x-requested-with': 'XMLHttpRequest' },
      { 'sec-fetch-mode': 'navigate', 'sec-fetch-user': '?1' },
    ] as Headers[])
      assert.equal(await logOut({ ...foreign, ...more }), 403, JSON.stringify({ ...foreign, ...more }));
});

test('a request of a program is carried out, with or without a credential', async () => {
  for (const headers of [{}, { cookie: 'session=x' }, { cookie: 'a=b' }, { authorization: 'Bearer x' }] as Headers[])
    assert.equal(await logOut(headers), 200, JSON.stringify(headers));
});
