import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ann, password, startJanua, type TestJanua } from '../../janua.ts';

let janua: TestJanua;
before(async () => {
  janua = await startJanua();
});
after(() => janua[Symbol.asyncDispose]());

/** Whether the server answers in JSON. The refusal of `/admin/me` or a 404 shows it. */
async function isJson(url: string, value?: string): Promise<boolean> {
  const headers = value === undefined ? {} : { 'x-expected-format': value };
  const answer = await janua.get(url, headers);
  const json = /^application\/json; charset=utf-8$/.test(String(answer.headers['content-type']));
  if (json) assert.equal(typeof answer.json().detail, 'string');
  else assert.ok(answer.statusCode === 303 || answer.headers['content-type'] === 'text/html; charset=utf-8');
  assert.notEqual(answer.statusCode, 406);
  return json;
}

describe('x-expected-format asks for JSON', () => {
  for (const value of [
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    ' application/json ',
    'APPLICATION/JSON;a=b',
  ]) {
    test(`"${value}"`, async () => assert.equal(await isJson('/admin/me', value), true));
  }
});

describe('an unknown x-expected-format gets a page', () => {
  for (const value of [
    '',
    'text/html',
    'json',
    'application/json, text/html',
    'application/xml',
    'x'.repeat(2000),
    '*/*',
    'application/jsonx',
    'text/json',
    'application/problem+json',
  ]) {
    test(`"${value.slice(0, 30)}"`, async () => assert.equal(await isJson('/admin/me', value), false));
  }
});

describe('under /api the answer is always JSON', () => {
  for (const url of [
    '/api/me',
    '/%61pi/me',
    '/api/%6De',
    '/api/nothing',
    '/%61pi/nothing',
    '/api/',
    'http://evil.example/api/me',
  ]) {
    test(url, async () => {
      for (const value of [undefined, 'text/html', 'application/json']) assert.equal(await isJson(url, value), true);
    });
  }
});

describe('outside of /api the default answer is a page', () => {
  for (const url of [
    '/apix/me',
    '/x/api/me',
    '/nothing',
    '/?/api/me',
    'http://evil.example/admin/me',
    '/admin/me?x=/api/',
  ]) {
    test(url, async () => assert.equal(await isJson(url), false));
  }
});

test('Accept does not change the format', async () => {
  const answer = await janua.get('/admin/me', { accept: 'application/json' });
  assert.equal(answer.statusCode, 303);
  const program = await janua.get('/api/me', { accept: 'text/html' });
  assert.equal(program.statusCode, 401);
});

test('Vary names x-expected-format on every answer with two formats, whatever the status', async () => {
  for (const [method, url, payload] of [
    ['GET', '/admin/me'],
    ['POST', '/auth/token'],
    ['POST', '/auth/token', { username: ann.username, password }],
    ['POST', '/auth/logout'],
    ['GET', '/auth/home'],
    ['PUT', '/auth/token'],
    ['GET', '/nothing'],
    ['GET', '/%zz'],
  ] as const) {
    for (const headers of [{}, { 'x-expected-format': 'application/json' }]) {
      const answer = await janua.app.inject({ method, url, headers, ...(payload && { payload }) });
      const isPage = answer.headers['content-type']?.toString().startsWith('text/html');
      const vary = isPage ? /^x-expected-format, Accept-Language, Cookie$/ : /^x-expected-format(?:, Accept)?$/;
      assert.match(String(answer.headers.vary), vary, `${method} ${url}`);
    }
  }
});
