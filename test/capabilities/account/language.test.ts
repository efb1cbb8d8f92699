import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { changeBounds } from '../../../src/core/audit/flood-bound.ts';
import type { SentHeaders } from '../../client.ts';
import { ann, startJanua, type TestJanua } from '../../janua.ts';
import { asJson } from '../../web/faces.ts';

let janua: TestJanua;
before(async () => {
  janua = await startJanua();
});
after(() => janua[Symbol.asyncDispose]());

const choose = (headers: SentHeaders, language = 'de') => janua.post('/auth/language', { language }, headers);

test('a choice of language that names no way back leads home, wherever the browser comes from', async () => {
  for (const referer of ['http://localhost/account', 'https://evil.example/account'])
    assert.equal((await choose({ referer })).headers.location, '/auth/home', referer);
});

test('“who am I” has the same fields for a user who has chosen a language', async () => {
  const { cookie } = await janua.logIn();
  await choose(cookie);
  assert.equal((await janua.account()).user.language, 'de');
  const { username, firstName: first_name, lastName: last_name } = ann;
  for (const url of ['/api/me', '/admin/me']) {
    const headers = { ...cookie, ...asJson };
    assert.deepEqual((await janua.get(url, headers)).json(), { username, first_name, last_name });
  }
});

test('a user who makes too many changes of a kind has to wait, and the last one is not made', async () => {
  const { cookie } = await janua.logIn();
  const headers = { ...cookie, ...asJson };
  let chosen = 'de';
  let answer = await choose(headers, chosen);
  for (let sent = 0; answer.statusCode !== 429; sent += 1) {
    assert.ok(sent <= changeBounds.account.burst, 'a change has no limit');
    const other = chosen === 'de' ? 'en' : 'de';
    answer = await choose(headers, other);
    if (answer.statusCode !== 429) chosen = other;
  }
  assert.equal(answer.headers['retry-after'], '60');
  assert.equal(answer.json().detail, 'Too many changes of this kind. Wait a minute');
  const { language } = (await janua.account()).user;
  const events = await janua.events({ kind: 'language-changed' });
  assert.deepEqual([events.length, language], [changeBounds.account.burst, chosen]);
});
