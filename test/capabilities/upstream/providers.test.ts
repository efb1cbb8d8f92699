import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { newAccounts } from '../../../src/capabilities/upstream/sign-in.ts';
import { perSecond } from '../../../src/core/throttle/backoff.ts';
import { password } from '../../janua.ts';
import {
  createGitHub,
  createGoogle,
  createMicrosoft,
  gitHubUser,
  googleUser,
  microsoftUser,
  type Tricks,
} from './fakes.ts';
import { gitHub, google, open, refusalOf } from './opened.ts';

const tenant = String(microsoftUser().tid);
const microsoft = { ...google, id: 'microsoft', kind: 'microsoft' };

test('a new user of Google gets an account without a password, and the same one later', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const browser = opened.createBrowser();
  const url = await browser.begin('google', { next: '/account', remember: 'on' });
  const { searchParams: query } = new URL(url);
  assert.equal(query.get('redirect_uri'), 'http://localhost:5000/auth/upstream/google/callback');
  assert.equal(query.get('scope'), 'openid email profile');
  const answer = await browser.back(fake.authorize(url, googleUser()));
  assert.deepEqual([answer.statusCode, answer.headers.location], [303, '/account'], answer.body);
  assert.equal(await browser.whoAmI(), 'gail@gmail.com');
  const { services } = opened;
  const account = await services.users.findByUsername('gail@gmail.com');
  assert.deepEqual(
    [account?.user.firstName, account?.user.lastName, account?.passwordHash],
    ['Gail', 'Green', undefined],
  );
  const signedIn = await services.access.findSignedIn({ cookie: browser.jar.session });
  assert.deepEqual([signedIn?.session.methods, signedIn?.session.remembered], [['fed'], true]);
  // The address may change there. The subject stays.
  const later = opened.createBrowser();
  const moved = googleUser({ email: 'new@gmail.com', name: 'Other' });
  assert.equal((await later.back(fake.authorize(await later.begin(), moved))).headers.location, '/auth/home');
  assert.equal(await later.whoAmI(), 'gail@gmail.com');
  assert.deepEqual(await opened.decisions(), [
    'identity-linked: new-account',
    'login-succeeded: upstream',
    'login-succeeded: upstream',
  ]);
  const guessed = await opened.post('/api/login', { username: 'gail@gmail.com', password });
  assert.deepEqual([guessed.statusCode, guessed.json().error], [400, 'invalid_grant'], 'as for an unknown name');
});

describe('Microsoft', () => {
  for (const [name, setTenant, changes, expected] of [
    ['an account of the one tenant', tenant, {}, 303],
    ['another tenant than the one that is set', tenant, { tid: '11111111-b6e2-48d5-9195-7fcf05b459b0' }, 403],
    ['any tenant, with an address that its owner has proved', 'common', { xms_edov: true }, 303],
    ['any tenant, with an address that its administrator has written', 'common', {}, 403],
    [
      'a personal account where organizations are set',
      'organizations',
      { tid: '9188040d-6c67-4c5b-b112-36a304b66dad', xms_edov: true },
      403,
    ],
    [
      'a personal account where consumers are set',
      'consumers',
      { tid: '9188040d-6c67-4c5b-b112-36a304b66dad', xms_edov: true },
      303,
    ],
    ['a token without oid', 'common', { oid: undefined, xms_edov: true }, 403],
    ['a token without tid', 'common', { tid: undefined, xms_edov: true }, 403],
    ['a guest of another domain', tenant, { email: 'mia@elsewhere.example' }, 403],
  ] as const)
    test(`${expected === 303 ? 'signs in' : 'does not sign in'} ${name}`, async () => {
      const fake = createMicrosoft(setTenant);
      const entry = { ...microsoft, tenant: setTenant, trustedDomains: ['contoso.example'] };
      await using opened = await open({ entries: [entry], fetch: fake.fetch });
      const browser = opened.createBrowser();
      const answer = await browser.back(fake.authorize(await browser.begin('microsoft'), microsoftUser(changes)));
      assert.equal(answer.statusCode, expected, answer.body);
      assert.equal(await browser.whoAmI(), expected === 303 ? 'mia@contoso.example' : undefined);
    });

  test('tells users apart by tenant and object, and not by the subject or the address', async () => {
    const fake = createMicrosoft('common');
    await using opened = await open({
      entries: [{ ...microsoft, tenant: 'common', trustedDomains: ['*'] }],
      fetch: fake.fetch,
    });
    const [one, other] = [opened.createBrowser(), opened.createBrowser()];
    await one.back(fake.authorize(await one.begin('microsoft'), microsoftUser({ xms_edov: '1' })));
    const foreign = microsoftUser({ xms_edov: '1', tid: '11111111-b6e2-48d5-9195-7fcf05b459b0' });
    const answer = await other.back(fake.authorize(await other.begin('microsoft'), foreign));
    assert.equal(answer.statusCode, 403);
    const same = microsoftUser({ sub: 'of another client', email: 'new@contoso.example' });
    await other.back(fake.authorize(await other.begin('microsoft'), same));
    assert.equal(await other.whoAmI(), 'mia@contoso.example');
    // A personal account, too.
    const personal = microsoftUser({
      ...{ tid: '9188040d-6c67-4c5b-b112-36a304b66dad', oid: '00000000-0000-0000-b2a1-3f1c5d7e9a0b' },
      ...{ email: 'pat@contoso.example', xms_edov: '1' },
    });
    for (const changes of [{}, { sub: 'of another client', email: 'new@contoso.example' }]) {
      const browser = opened.createBrowser();
      await browser.back(fake.authorize(await browser.begin('microsoft'), { ...personal, ...changes }));
      assert.equal(await browser.whoAmI(), 'pat@contoso.example');
    }
  });
});

describe('an ID token that another key has signed, or a secret, is refused', () => {
  const elsewhere = { issuer: 'https://accounts.google.com' };
  const listed = { id_token_signing_alg_values_supported: ['RS256', 'HS256'] };
  for (const kind of ['microsoft', 'gitlab', 'keycloak', 'openid', 'janua'])
    test(`from a provider of the kind ${kind}`, async () => {
      const isMicrosoft = kind === 'microsoft';
      const fake = isMicrosoft ? createMicrosoft(tenant) : createGoogle();
      const entry = { ...google, kind, trustedDomains: ['*'], ...(isMicrosoft ? { tenant } : elsewhere) };
      await using opened = await open({ entries: [entry], fetch: fake.fetch });
      const signIn = async (tricks: Tricks) => {
        const browser = opened.createBrowser();
        fake.tricks = { discovery: listed };
        const user = isMicrosoft ? microsoftUser() : googleUser();
        const back = fake.authorize(await browser.begin(), user);
        fake.tricks = { discovery: listed, ...tricks };
        return (await browser.back(back)).statusCode;
      };
      assert.equal(await signIn({ signature: 'foreign' }), 403);
      assert.equal(await signIn({ header: { alg: 'HS256' } }), 403);
      assert.equal(await signIn({ header: { alg: 'none' }, signature: 'none' }), 403);
      assert.equal(await signIn({}), 303);
    });
});

describe('GitHub', () => {
  test('signs a user in by the number of the account, with the verified primary address', async () => {
    const fake = createGitHub();
    await using opened = await open({ entries: [gitHub], fetch: fake.fetch });
    const browser = opened.createBrowser();
    const url = await browser.begin('github');
    const { searchParams: query } = new URL(url);
    assert.deepEqual([query.get('scope'), query.get('nonce')], ['read:user user:email', null]);
    const answer = await browser.back(fake.authorize(url, gitHubUser()));
    assert.equal(answer.statusCode, 303, answer.body);
    assert.equal(await browser.whoAmI(), 'octo@example.com');
    const renamed = opened.createBrowser();
    const changes = { login: 'cat', emails: [] };
    await renamed.back(fake.authorize(await renamed.begin('github'), gitHubUser(changes)));
    assert.equal(await renamed.whoAmI(), 'octo@example.com');
    // Another user may take the name that is free now.
    const taker = opened.createBrowser();
    const taken = await taker.back(fake.authorize(await taker.begin('github'), gitHubUser({ id: 1 })));
    assert.equal(taken.statusCode, 403);
  });

  test('refuses a code that GitHub does not know, which says so with status 200', async () => {
    const fake = createGitHub();
    await using opened = await open({ entries: [gitHub], fetch: fake.fetch });
    const browser = opened.createBrowser();
    const back = new URL(fake.authorize(await browser.begin('github'), gitHubUser()));
    back.searchParams.set('code', 'injected');
    assert.equal((await browser.back(back.href)).statusCode, 403);
    assert.deepEqual(await opened.decisions(), ['upstream-refused: invalid-response']);
  });
});

test('the same subject is another user at each provider', async () => {
  const fakes = { google: createGoogle(), github: createGitHub() };
  await using opened = await open({
    entries: [google, gitHub],
    fetch: (address, init) => (address.includes('github.com') ? fakes.github : fakes.google).fetch(address, init),
  });
  const users = { google: googleUser({ sub: String(gitHubUser().id) }), github: gitHubUser() };
  for (const [id, address] of [
    ['google', 'gail@gmail.com'],
    ['github', 'octo@example.com'],
  ] as const) {
    const browser = opened.createBrowser();
    await browser.back(fakes[id].authorize(await browser.begin(id), users[id]));
    assert.equal(await browser.whoAmI(), address);
  }
  // Without an address in the ID token, userinfo is asked. It may name no issuer.
  const browser = opened.createBrowser();
  fakes.google.tricks = { userinfo: { ...users.google, iss: 'https://github.com' } };
  await browser.back(fakes.google.authorize(await browser.begin(), { ...users.google, email: undefined }));
  assert.equal(await browser.whoAmI(), 'gail@gmail.com');
});

describe('a new account needs an address that a trusted provider has verified', () => {
  const notLinked = [
    403,
    'No account here is linked with that one. If you have an account, sign in another way, and link it under Account, Accounts elsewhere.',
  ];
  for (const [name, { entry = google, user = {}, settings = {}, reason }] of Object.entries({
    'not with an address that Google has not verified': {
      user: { email_verified: false },
      reason: 'untrusted-address',
    },
    'nor with the text true': { user: { email_verified: 'true' }, reason: 'untrusted-address' },
    'nor with an address of a domain that is not managed by Google': {
      user: { email: 'a@example.com' },
      reason: 'untrusted-address',
    },
    'nor of another managed domain': {
      user: { email: 'a@example.com', hd: 'example.org' },
      reason: 'untrusted-address',
    },
    'nor without an address': { user: { email: undefined }, reason: 'untrusted-address' },
    'nor with a list of addresses': { user: { email: 'a@gmail.com,b@gmail.com' }, reason: 'untrusted-address' },
    'nor of a domain that the operator does not list': {
      entry: { ...google, trustedDomains: ['example.com'] },
      reason: 'untrusted-address',
    },
    'nor where SIGN_UP is off': { settings: { SIGN_UP: 'off' as const }, reason: 'not-linked' },
    'nor of a domain that may not sign up': { settings: { SIGN_UP_DOMAINS: ['example.com'] }, reason: 'other-domain' },
    'nor with the address of an account': {
      user: { email: 'ann@example.com', hd: 'example.com' },
      reason: 'taken-address',
    },
  }))
    test(name, async () => {
      const fake = createGoogle();
      await using opened = await open({ entries: [entry], fetch: fake.fetch, settings });
      const browser = opened.createBrowser();
      const answer = await browser.back(fake.authorize(await browser.begin(), googleUser(user)));
      assert.deepEqual(refusalOf(answer), notLinked);
      assert.deepEqual(await opened.decisions(), [`upstream-refused: ${reason}`]);
      assert.equal(browser.jar.session, undefined);
    });

  test('but with one of a domain that Google manages', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    const browser = opened.createBrowser();
    const user = googleUser({ email: 'Gail@Example.com', hd: 'example.com' });
    await browser.back(fake.authorize(await browser.begin(), user));
    assert.equal(await browser.whoAmI(), 'gail@example.com');
  });
});

test('an identity whose account is deleted again and again creates no more accounts, and another one does', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch, settings: { THROTTLE: 'on' } });
  const signIn = async (user = googleUser()) => {
    const browser = opened.createBrowser();
    return (await browser.back(fake.authorize(await browser.begin(), user))).statusCode;
  };
  for (let count = 0; count < newAccounts.ofIdentity.free; count += 1) {
    assert.equal(await signIn(), 303);
    await opened.services.administration.remove('gail@gmail.com');
  }
  assert.equal(await signIn(), 403);
  assert.ok((await opened.decisions()).includes('upstream-refused: too-many-accounts'));
  assert.equal(await signIn(googleUser({ sub: 'other', email: 'other@gmail.com' })), 303);
});

test('a network that sends browsers back without end is refused for a moment, and the provider is asked no more', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch, settings: { THROTTLE: 'on' }, time: Date.now() });
  const back = async () => {
    const browser = opened.createBrowser();
    const address = new URL(fake.authorize(await browser.begin(), googleUser()));
    address.searchParams.set('code', 'injected');
    return (await browser.back(address.href)).statusCode;
  };
  for (let count = 0; count < perSecond.free; count += 1) assert.equal(await back(), 403);
  const asked = fake.calls.length;
  assert.deepEqual([await back(), fake.calls.length], [503, asked]);
  opened.pass(2_000);
  assert.equal(await back(), 403);
});

test('a taken address uses up nothing of the accounts that a network may create', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch, settings: { THROTTLE: 'on' } });
  const take = mock.method(opened.services.throttle, 'take');
  const browser = opened.createBrowser();
  const user = googleUser({ email: 'ann@example.com', hd: 'example.com' });
  assert.equal((await browser.back(fake.authorize(await browser.begin(), user))).statusCode, 403);
  const keys = take.mock.calls.flatMap((call) => call.arguments[0].map(({ key }) => key));
  assert.ok(!keys.some((key) => key.startsWith('new-account')), `${keys}`);
});

test('a provider may change its keys at any time: they are asked for once more', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const fetches = () => fake.calls.filter((url) => url.endsWith('/certs')).length;
  async function signIn(): Promise<number> {
    const browser = opened.createBrowser();
    return (await browser.back(fake.authorize(await browser.begin(), googleUser()))).statusCode;
  }
  for (const [kid, count] of [
    ['k1', 1],
    ['k1', 1],
    ['k2', 2],
    ['k2', 2],
    ['k3', 3],
  ] as const) {
    fake.tricks = { kid };
    assert.deepEqual([await signIn(), fetches()], [303, count], kid);
  }
  fake.tricks = { kid: 'k3', header: { kid: 'another' } };
  assert.deepEqual([await signIn(), fetches()], [403, 4]);
});

describe('a provider that is away', () => {
  test('gives a page that says so, before and after the way there, and leads back to where the user wanted to go', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    const browser = opened.createBrowser();
    fake.tricks = { isAway: true };
    const unreachable = [
      503,
      'That provider cannot be reached at the moment. Try again later, or sign in another way.',
    ];
    const next = '/account/tokens';
    const assertUnreachable = (answer: LightMyRequestResponse) => {
      assert.deepEqual(refusalOf(answer), unreachable);
      assert.ok(answer.body.includes('href="/auth/login?next=%2Faccount%2Ftokens">Sign in<'), answer.body);
    };
    assertUnreachable(await browser.post('/auth/upstream/google', { next }));
    fake.tricks = {};
    for (const tricks of [{ isAway: true }, { status: 502 }]) {
      const back = fake.authorize(await browser.begin('google', { next }), googleUser());
      fake.tricks = tricks;
      assertUnreachable(await browser.back(back));
      fake.tricks = {};
    }
    assert.deepEqual(new Set(await opened.decisions()), new Set(['upstream-refused: unreachable']));
  });

  test('is known from before for an hour, and longer while it is away', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch, time: Date.now() });
    const discoveries = () => fake.calls.filter((url) => url.includes('/.well-known/')).length;
    const browser = opened.createBrowser();
    await browser.begin();
    await browser.begin();
    assert.equal(discoveries(), 1);
    opened.pass(61 * 60 * 1000);
    fake.tricks = { isAway: true };
    await browser.begin();
    await browser.begin();
    assert.equal(discoveries(), 2);
    opened.pass(2 * 60 * 1000);
    fake.tricks = {};
    await browser.begin();
    assert.equal(discoveries(), 3);
  });
});
