import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ann } from '../../janua.ts';
import { createGoogle } from './fakes.ts';
import { gitHub, google, open } from './opened.ts';

test('the buttons are on the pages where users log in or sign up, in the order of the file', async () => {
  const fake = createGoogle();
  await using opened = await open({ entries: [gitHub, { ...google, name: 'Search & Co' }], fetch: fake.fetch });
  const browser = opened.createBrowser();
  const buttons = async (path: string) => {
    const { body } = await browser.send('GET', path);
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
  assert.equal((await browser.send('POST', '/auth/confirm/upstream/github')).statusCode, 404);
  assert.match((await browser.send('GET', '/account')).body, /href="\/account\/sign-in-methods"/);
  assert.match((await browser.send('GET', '/account/security')).body, /href="\/account\/sign-in-methods"/);
});

test('without providers there is none of it', async () => {
  await using opened = await open({ entries: [] });
  const browser = opened.createBrowser();
  assert.doesNotMatch((await browser.send('GET', '/auth/login')).body, /upstream/);
  assert.equal((await browser.send('POST', '/auth/upstream/google')).statusCode, 404);
  await browser.logIn();
  assert.equal((await browser.send('GET', '/account/sign-in-methods')).statusCode, 404);
});

test('administrators see the providers, the addresses to register, and whether each can be reached', async () => {
  const fake = createGoogle();
  const settings = { ADMINISTRATORS: [ann.username], PUBLIC_URL: 'http://localhost:5000' };
  await using opened = await open({ entries: [google, gitHub], fetch: fake.fetch, settings });
  const browser = opened.createBrowser();
  await browser.logIn();
  for (const isAway of [false, true]) {
    fake.tricks = { isAway };
    assert.deepEqual((await browser.send('GET', '/api/admin/upstreams')).json().upstreams[0], {
      id: 'google',
      kind: 'google',
      name: 'Google',
      issuer: 'https://accounts.google.com',
      redirect_uri: 'http://localhost:5000/auth/upstream/google/callback',
      reachable: !isAway,
    });
  }
  const { body } = await browser.send('GET', '/admin/upstreams');
  assert.match(body, /Cannot be reached/);
  assert.doesNotMatch(body, /our secret/);
});
