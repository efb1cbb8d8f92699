import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SentHeaders } from '../../client.ts';
import { ann, password, startJanua, type TestOptions } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { startProxy } from '../../servers/proxy.ts';
import { createRedisDatabase } from '../../servers/shared.ts';
import { sessionCookie } from '../../web/faces.ts';

async function open({ settings, ...options }: TestOptions = {}) {
  const janua = await startJanua({ ...options, settings: { SIGN_UP: 'on', ...settings } });
  const names = { first_name: 'Ann', last_name: 'A', password };
  return {
    ...janua,
    async begin(email: string): Promise<string> {
      await janua.post('/api/sign-up', { email });
      return janua.tokenTo(email);
    },
    finish: (url: string, token: string, headers?: SentHeaders, more: object = {}) =>
      janua.post(url, { token, ...names, ...more }, headers),
  };
}

test('a new account has the language that its owner chose, and none that only the browser asks for', async () => {
  await using opened = await open();
  for (const [email, headers, language] of [
    ['chosen@example.com', { cookie: 'language=fr', 'accept-language': 'de' }, 'fr'],
    ['asked@example.com', { 'accept-language': 'de' }, undefined],
  ] as const) {
    await opened.finish('/api/sign-up/finish', await opened.begin(email), headers);
    assert.equal((await opened.services.users.findByUsername(email))?.user.language, language);
  }
});

test('the end of a sign-up ends the session that the client presents', async () => {
  await using opened = await open();
  for (const [index, url] of ['/auth/sign-up/finish', '/api/sign-up/finish'].entries()) {
    const { cookie } = await opened.logIn();
    const answer = await opened.finish(url, await opened.begin(`${index}@example.com`), cookie);
    assert.ok(await opened.isSignedIn({ cookie: `session=${sessionCookie(answer)}` }));
    assert.equal(await opened.isSignedIn(cookie), false);
  }
});

test('a link of a sign-up ends when strangers may no longer sign up, or not with that domain', async () => {
  await using opened = await open();
  const token = await opened.begin('late@example.com');
  for (const [settings, status] of [
    [{ SIGN_UP: 'off' }, 410],
    [{ SIGN_UP_DOMAINS: ['example.org'] }, 410],
    [{ SIGN_UP_DOMAINS: ['example.com'] }, 201],
  ] as const) {
    // The next server adds her again.
    await opened.people.remove(ann.username);
    await using later = await open({ settings: { DATABASE_URL: opened.databaseUrl, ...settings } });
    const answer = await later.finish('/api/sign-up/finish', token);
    assert.equal(answer.statusCode, status, JSON.stringify(settings));
  }
});

test('an expired link of a sign-up or an invitation leads to a new sign-up, where that is open', async () => {
  for (const [SIGN_UP, isOffered] of [
    ['on', true],
    ['off', false],
  ] as const) {
    await using opened = await open({ settings: { SIGN_UP } });
    const link = '/auth/sign-up/finish?token=x&next=/auth/me';
    const { statusCode, body } = await opened.get(link);
    assert.deepEqual([statusCode, body.includes('ask an administrator for a new link')], [410, true]);
    assert.equal(body.includes('href="/auth/sign-up?next=%2Fauth%2Fme"'), isOffered, SIGN_UP);
    assert.ok(body.includes('href="/auth/login?next=%2Fauth%2Fme"'));
    const { cookie } = await opened.logIn();
    assert.ok(!(await opened.get(link, cookie)).body.includes('href="/auth/sign-up'));
  }
});

test('the end of a sign-up leads to no other site', async () => {
  await using opened = await open();
  for (const [index, next] of ['//evil.example', 'https://evil.example/', '/\\evil.example'].entries()) {
    const answer = await opened.finish(
      '/auth/sign-up/finish',
      await opened.begin(`${index}@example.com`),
      {},
      { next },
    );
    assert.deepEqual([answer.statusCode, answer.headers.location], [303, '/auth/home'], next);
  }
});

test('a chosen password is kept with the space at its end', async () => {
  await using opened = await open();
  const { post } = opened;
  const [username, chosen] = ['new@example.com', 'a few words with spaces '];
  const judge = async (entered: string) => (await post('/api/login', { username, password: entered })).statusCode;
  const made = await opened.finish('/api/sign-up/finish', await opened.begin(username), {}, { password: chosen });
  assert.deepEqual([await judge(chosen), await judge(chosen.trim())], [200, 400]);
  const authorization = `Bearer ${made.json().access_token}`;
  const next = `other ${chosen}`;
  await post('/api/account/password', { current_password: chosen, new_password: next }, { authorization });
  assert.deepEqual([await judge(next), await judge(next.trim())], [200, 400]);
});

test('a link makes no second account once the first is deleted', async () => {
  await using opened = await open();
  const { administration } = opened.services;
  const token = await opened.begin('new@example.com');
  assert.equal((await opened.finish('/api/sign-up/finish', token)).statusCode, 201);
  await administration.remove('new@example.com');
  assert.equal((await opened.finish('/api/sign-up/finish', token)).statusCode, 410);
});

test('users learn that their account exists although they could not be signed in', {
  skip: missing('Redis'),
}, async () => {
  const redis = await createRedisDatabase();
  const url = new URL(redis.url);
  await using proxy = await startProxy(Number(url.port));
  url.port = String(proxy.port);
  await using opened = await open({ settings: { REDIS_URL: url.href, STORE_TIMEOUT_SECONDS: 1 } });
  const [first, second] = [await opened.begin('one@example.com'), await opened.begin('two@example.com')];
  proxy.hold();
  const program = await opened.finish('/api/sign-up/finish', first);
  assert.deepEqual([program.statusCode, program.json()], [201, { detail: 'Account created. Please log in' }]);
  const browser = await opened.finish('/auth/sign-up/finish', second);
  assert.equal(browser.headers.location, '/auth/login?state=11');
  assert.equal(sessionCookie(browser), undefined);
  proxy.pass();
  const page = await opened.get('/auth/login?state=11');
  assert.match(page.body, /Your account was created\. Please sign in\./);
  for (const username of ['one@example.com', 'two@example.com'])
    assert.ok(await opened.services.users.findByUsername(username));
  await redis.drop();
});

test('outside the demo, the owner of an address of the demo can sign up', async () => {
  await using opened = await open();
  const { services } = opened;
  const demo = { username: 'demo@example.com', firstName: 'D', lastName: 'D', passwordHash: 'x', demo: true };
  const former = await services.registry?.add(demo);
  const answer = await opened.finish('/api/sign-up/finish', await opened.begin(demo.username));
  assert.equal(answer.statusCode, 201, answer.body);
  const account = await services.users.findByUsername(demo.username);
  assert.deepEqual([account?.disabled, account?.user.firstName], [false, 'Ann']);
  assert.notEqual(account?.user.id, former);
});
