import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startJanua, type TestJanua } from '../../janua.ts';
import { asJson, json } from '../faces.ts';

let janua: TestJanua;
before(async () => {
  janua = await startJanua();
});
after(() => janua[Symbol.asyncDispose]());

const usual = 'application/json; charset=utf-8';
const named = 'application/problem+json; charset=utf-8';

for (const [accept, type] of [
  [undefined, usual],
  ['*/*', usual],
  ['application/*', usual],
  ['application/json', usual],
  ['text/html', usual],
  ['application/problem+jsonx', usual],
  ['application/problem+json;q=0, application/json', usual],
  ['application/problem+json', named],
  ['application/json, Application/Problem+JSON ; q=0.5', named],
  ['text/html, application/problem+json;charset=utf-8', named],
] as const)
  test(`a client that accepts ${accept} gets errors as ${type}, with the same body`, async () => {
    const headers: Record<string, string> = accept === undefined ? {} : { accept };
    for (const [url, others] of [
      ['/api/me', {}],
      ['/api/nothing', {}],
      ['/admin/me', asJson],
    ] as const) {
      const answer = await janua.get(url, { ...headers, ...others });
      assert.equal(answer.headers['content-type'], type, url);
      assert.match(String(answer.headers.vary), /(?:^|, )Accept$/, url);
      const { request_id: _id, ...body } = answer.json();
      const { request_id: _other, ...expected } = (await janua.get(url, others)).json();
      assert.deepEqual(body, expected, url);
    }
  });

test('a token endpoint answers errors as RFC 6749 says, whatever the client accepts', async () => {
  for (const [url, others] of [
    ['/api/login', {}],
    ['/auth/token', asJson],
    ['/oidc/token', {}],
  ] as const) {
    const sent = json({ username: 'ann@example.com', password: 'wrong' });
    const headers = { ...sent.headers, ...others, accept: 'application/problem+json' };
    const answer = await janua.app.inject({ method: 'POST', url, ...sent, headers });
    assert.match(String(answer.headers['content-type']), /^application\/json/, url);
  }
});

test('no type that a client accepts turns a page into JSON', async () => {
  const answer = await janua.get('/nothing', { accept: 'application/problem+json' });
  assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
});
