import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ann, password } from '../../janua.ts';
import { createGoogle, googleUser } from './fakes.ts';
import { gitHub, google, open } from './opened.ts';

test('the buttons are on the pages where users log in or sign up, in the order of the file', async () => {
  const fake = createGoogle();
  await using opened = await open({ entries: [gitHub, { ...google, name: 'Search & Co' }], fetch: fake.fetch });
  const browser = opened.createBrowser();
  const buttons = async (path: string) => {
    const { body } = await browser.get(path);
    return Array.from(
      body.matchAll(/action="(\/auth\/(?:confirm\/)?upstream\/\w+)">(.*?)<\/form>/gs),
      ([, action, form = '']) => [
        action,
        /<button[^>]*>([^<]*)</.exec(form)?.[1],
        /name="next" value="([^"]*)"/.exec(form)?.[1],
      ],
    );
  };
  const listed = (next?: string) => [
    ['/auth/upstream/github', 'Continue with GitHub', next],
    ['/auth/upstream/google', 'Continue with Search &amp; Co', next],
  ];
  assert.deepEqual(await buttons('/auth/login?next=/account'), listed('/account'));
  assert.deepEqual(await buttons('/auth/sign-up'), listed());
  await browser.logIn();
  assert.deepEqual(await buttons('/auth/confirm?next=/account'), [], 'the user has linked none');
  assert.equal((await browser.post('/auth/confirm/upstream/github', {})).statusCode, 404);
  assert.match((await browser.get('/account')).body, /href="\/account\/sign-in-methods"/);
  assert.match((await browser.get('/account/security')).body, /href="\/account\/sign-in-methods"/);
});

test('a next that is too long or leads to another site is dropped', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  for (const next of ['https://evil.example/', '//evil.example/', `/${'a'.repeat(60_000)}`]) {
    const browser = opened.createBrowser();
    const answer = await browser.back(fake.authorize(await browser.begin('google', { next }), googleUser()));
    assert.equal(answer.headers.location, '/auth/home', next.slice(0, 30));
  }
});

test('without providers there is none of it', async () => {
  await using opened = await open({ entries: [] });
  const browser = opened.createBrowser();
  assert.doesNotMatch((await browser.get('/auth/login')).body, /upstream/);
  assert.equal((await browser.post('/auth/upstream/google', {})).statusCode, 404);
  await browser.logIn();
  assert.equal((await browser.get('/account/sign-in-methods')).statusCode, 404);
});

test('administrators see the providers, the addresses to register, and whether each can be reached', async () => {
  const fake = createGoogle();
  const settings = { ADMINISTRATORS: [ann.username], PUBLIC_URL: 'http://localhost:5000' };
  await using opened = await open({ entries: [google, gitHub], fetch: fake.fetch, settings });
  const browser = opened.createBrowser();
  await browser.logIn();
  for (const isAway of [false, true]) {
    fake.tricks = { isAway };
    assert.deepEqual((await browser.get('/api/admin/upstreams')).json().upstreams[0], {
      id: 'google',
      kind: 'google',
      name: 'Google',
      issuer: 'https://accounts.google.com',
      redirect_uri: 'http://localhost:5000/auth/upstream/google/callback',
      reachable: !isAway,
    });
  }
  const { body } = await browser.get('/admin/upstreams');
  assert.match(body, /Cannot be reached/);
  assert.doesNotMatch(body, /our secret/);
});

test('after a reset, the page lists the accounts elsewhere, with and without second factors', async () => {
  for (const [SECOND_FACTOR, page] of [
    ['optional', '/account/security?state=8'],
    ['off', '/account/sign-in-methods?state=8'],
  ] as const) {
    await using opened = await open({ settings: { SECOND_FACTOR } });
    const { services } = opened;
    const { user } = await opened.account();
    const row = { id: 'x', upstream: 'google', user_id: user.id, issuer: 'i', subject: 's', name: 'Ann <at> work' };
    await services.database
      .insertInto('janua_identities')
      .values({ ...row, linked_at: 0 })
      .execute();
    await opened.post('/api/forgot-password', { email: ann.username });
    const token = await opened.tokenTo(ann.username);
    const answer = await opened.post('/auth/reset-password', { token, password: `${password}!` });
    assert.equal(answer.headers.location, `/auth/login?state=6&next=${encodeURIComponent(page)}`);
    const browser = opened.createBrowser();
    const login = await browser.post('/api/login', { username: ann.username, password: `${password}!` });
    assert.equal(login.statusCode, 200, login.body);
    const { body } = await browser.get(page);
    assert.match(body, /Remove every passkey, app and linked account that you do not know\./);
    assert.match(body, /Ann &lt;at> work|Ann &lt;at&gt; work/);
  }
});
