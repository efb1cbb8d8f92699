import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openProvider, requireAnswer } from '../oidc/application.ts';
import { createGitHub, createGoogle, createMicrosoft, gitHubUser, googleUser, microsoftUser } from './fakes.ts';
import { type Entry, gitHub, google, leadOf, open, writeUpstreams } from './opened.ts';

const promptOf = (url: string) => new URL(url).searchParams.get('prompt');
const microsoft: Entry = { ...google, id: 'microsoft', kind: 'microsoft', tenant: 'common', trustedDomains: ['*'] };

/** A provider of another kind that speaks as Google does. */
const like = (kind: string): Entry => ({
  ...google,
  kind,
  name: 'Corp',
  issuer: 'https://accounts.google.com',
  trustedDomains: ['*'],
});
const announces = (...values: string[]) => ({ discovery: { prompt_values_supported: values } });

describe('after the user has logged out, a provider', () => {
  for (const [name, entry, create, user, tricks, expected] of [
    ['Google asks which account', google, createGoogle, googleUser(), {}, 'select_account'],
    [
      'Microsoft asks which account',
      microsoft,
      () => createMicrosoft('common'),
      microsoftUser({ xms_edov: true }),
      {},
      'select_account',
    ],
    ['GitHub asks which account', gitHub, createGitHub, gitHubUser(), {}, 'select_account'],
    ['of OpenID asks which account', like('openid'), createGoogle, googleUser(), {}, 'select_account'],
    [
      'that announces it asks which account',
      like('janua'),
      createGoogle,
      googleUser(),
      announces('login', 'select_account'),
      'select_account',
    ],
    [
      'that can only ask for the password does so',
      like('openid'),
      createGoogle,
      googleUser(),
      announces('none', 'login'),
      'login',
    ],
    ['of GitLab asks for the password', like('gitlab'), createGoogle, googleUser(), {}, 'login'],
    ['that can do neither goes on', like('openid'), createGoogle, googleUser(), announces('none'), null],
  ] as const)
    test(`${name}, until somebody has signed in there`, async () => {
      const fake = create();
      fake.tricks = tricks;
      await using opened = await open({ entries: [entry], fetch: fake.fetch });
      const browser = opened.createBrowser();
      const begin = () => browser.begin(String(entry.id));
      const signIn = async () => browser.back(fake.authorize(await begin(), user));
      assert.equal(promptOf(await begin()), null);
      assert.equal((await signIn()).statusCode, 303);
      await browser.post('/auth/logout', { signed_in: 'yes' });
      assert.equal(promptOf(await begin()), expected);
      assert.equal(promptOf(await begin()), expected, 'the first way there was not taken to its end');
      assert.equal((await signIn()).statusCode, 303);
      assert.equal(promptOf(await begin()), null);
    });

  test('asks again, if the account that was chosen is refused', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch, settings: { SIGN_UP: 'off' } });
    const browser = opened.createBrowser();
    await browser.logIn();
    await browser.post('/auth/logout', { signed_in: 'yes' });
    assert.equal((await browser.back(fake.authorize(await browser.begin(), googleUser()))).statusCode, 403);
    assert.equal(promptOf(await browser.begin()), 'select_account');
  });

  test('asks after the end of the own session in the list of sessions', async () => {
    await using opened = await open({ fetch: createGoogle().fetch });
    const browser = opened.createBrowser();
    await browser.logIn();
    const { sessions } = (await browser.get('/api/account/sessions')).json();
    await browser.post('/account/sessions/end', { id: sessions[0].id });
    assert.equal(promptOf(await browser.begin()), 'select_account');
  });

  test('asks no user who links an account', async () => {
    await using opened = await open({ fetch: createGoogle().fetch });
    const browser = opened.createBrowser();
    browser.jar['logged-out'] = '1';
    await browser.logIn();
    const lead = leadOf(await browser.post('/account/sign-in-methods/begin', { upstream: 'google' }));
    assert.equal(promptOf(lead), null);
  });

  test('asks after a logout that an application began', async () => {
    using file = writeUpstreams([google]);
    await using provider = await openProvider({
      settings: { UPSTREAMS_FILE: file.path },
      overrides: { fetch: createGoogle().fetch },
    });
    await provider.addApplication();
    const browser = await provider.browser();
    await browser.submit('/oidc/logout/confirm', { asked: 'yes' });
    assert.equal(promptOf(requireAnswer(await browser.submit('/auth/upstream/google', {})).href), 'select_account');
  });
});

test('without providers, a logout leaves no cookie but the removal of the session', async () => {
  await using opened = await open({ entries: [] });
  const browser = opened.createBrowser();
  await browser.logIn();
  const answer = await browser.post('/auth/logout', { signed_in: 'yes' });
  assert.deepEqual(
    answer.cookies.map(({ name, value }) => [name, value]),
    [['session', '']],
  );
});
