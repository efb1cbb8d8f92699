import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { ann, caller, password } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { addPasskey } from '../second-factor/add-passkey.ts';
import { createAuthenticator } from '../second-factor/authenticator.ts';
import { codeOf } from '../second-factor/authenticator-app.ts';
import { createGoogle, googleUser } from './fakes.ts';
import { google, leadOf, open, refusalOf, sessionIn } from './opened.ts';

const page = '/account/sign-in-methods';

type Opened = Awaited<ReturnType<typeof open>>;
type Browser = ReturnType<Opened['createBrowser']>;
type Fake = ReturnType<typeof createGoogle>;

/** What the page with the button sends. */
async function offer(browser: Browser, fake: Fake, user = googleUser()): Promise<string> {
  const url = leadOf(await browser.post(`${page}/begin`, { upstream: 'google' }));
  const shown = await browser.back(fake.authorize(url, user));
  assert.equal(shown.statusCode, 200, shown.body);
  assert.match(shown.body, /signed in at Google as gail@gmail\.com.* sign in as ann@example\.com/);
  assert.match(shown.body, /<form method="post" action="\/auth\/logout">/);
  return /name="link" value="([^"]+)"/.exec(shown.body)?.[1] ?? assert.fail(shown.body);
}

async function link(browser: Browser, fake: Fake, user = googleUser()) {
  const answer = await browser.post(`${page}/link`, { link: await offer(browser, fake, user) });
  assert.deepEqual([answer.statusCode, answer.headers.location], [303, `${page}?state=linked`], answer.body);
}

async function idOf(browser: Browser): Promise<string> {
  const { body } = await browser.get(page);
  return /name="id" value="([\w-]+)"/.exec(body)?.[1] ?? assert.fail(body);
}

describe('a sign-in with a linked account', () => {
  for (const [name, changes, expected] of [
    ['verifies the address that a trusted provider names', { email: ann.username, hd: 'example.com' }, true],
    ['verifies no address that the provider is not trusted for', { email: ann.username }, false],
    ['verifies no other address', {}, false],
  ] as const)
    test(name, async () => {
      const fake = createGoogle();
      await using opened = await open({ fetch: fake.fetch });
      const { services, createBrowser } = opened;
      const browser = createBrowser();
      await browser.logIn();
      await link(browser, fake);
      const other = createBrowser();
      for (let count = 0; count < 2; count += 1) {
        const former = other.jar.session ?? '';
        await other.back(fake.authorize(await other.begin(), googleUser(changes)));
        assert.equal(await other.whoAmI(), ann.username);
        assert.equal(await opened.isSignedIn({ cookie: `session=${former}` }), false, 'the session before');
      }
      const account = await opened.account();
      assert.equal(account.isAddressVerified, expected);
      const { verification } = await services.users.findDetails(account.user);
      assert.deepEqual(
        verification && [verification.how, verification.by],
        expected ? ['upstream', 'google'] : undefined,
      );
      assert.equal((await opened.events({ kind: 'address-verified-upstream' })).length, Number(expected));
    });

  test('verifies the address of the account that it creates', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    const browser = opened.createBrowser();
    await browser.back(fake.authorize(await browser.begin(), googleUser()));
    assert.equal((await opened.services.users.findByUsername('gail@gmail.com'))?.isAddressVerified, true);
  });
});

const stores: StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'PostgreSQL', sessions: 'SQL' },
  { users: 'MariaDB', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'SQL', ownTable: true },
];

for (const store of stores) {
  const name = `${store.users}, sessions in ${store.sessions}${store.ownTable ? ', own table' : ''}`;
  describe(`with ${name}`, { skip: missing(store.users, store.sessions) }, () => {
    test('an account is not linked after the password has changed since the proof', async () => {
      const fake = createGoogle();
      await using opened = await open({ fetch: fake.fetch, stores: store, settings: { SIGN_UP: 'off' } });
      const { services, people } = opened;
      const browser = opened.createBrowser();
      await browser.logIn();
      const sent = await offer(browser, fake);
      const { findById } = services.users;
      Object.assign(services.users, {
        async findById(id: string) {
          const proven = await findById(id);
          Object.assign(services.users, { findById });
          await people.setPassword(ann.username, 'a password that the owner has chosen');
          return proven;
        },
      });
      const answer = await browser.post(`${page}/link`, { link: sent });
      assert.match(String(answer.headers.location), /^\/auth\/login/, answer.body);
      const account = await opened.account();
      assert.deepEqual(await services.linking.list(account.user), []);
    });

    test("a newcomer under an id of a team's own table is not signed in by the account of the former user", {
      skip: !store.ownTable,
    }, async () => {
      const fake = createGoogle();
      await using opened = await open({ fetch: fake.fetch, stores: store, settings: { SIGN_UP: 'off' } });
      const browser = opened.createBrowser();
      await browser.logIn();
      await link(browser, fake);
      await using team = await openTestDatabase(opened.databaseUrl);
      await sql`update people set email = 'eve@example.com'`.execute(team.database);
      const other = opened.createBrowser();
      const refused = await other.back(fake.authorize(await other.begin(), googleUser()));
      assert.equal(refused.statusCode, 403);
      assert.ok((await opened.decisions()).includes('upstream-refused: void-identity'));
    });

    test('an identity goes from an account whose user is gone to another one, which the audit of both tells', {
      skip: !store.ownTable,
    }, async () => {
      const fake = createGoogle();
      await using opened = await open({ fetch: fake.fetch, stores: store, settings: { SIGN_UP: 'off' } });
      const { services, people, createBrowser } = opened;
      const browser = createBrowser();
      await browser.logIn();
      await link(browser, fake);
      const former = (await opened.account()).user.id;
      await people.remove(ann.username);
      await people.add({ ...ann, password });
      await using team = await openTestDatabase(opened.databaseUrl);
      await sql`update people set no = 99`.execute(team.database);
      const other = createBrowser();
      await other.logIn();
      await link(other, fake);
      const { user } = await opened.account();
      assert.notEqual(user.id, former);
      assert.equal((await services.linking.list(user)).length, 1);
      const events = [...(await opened.events({ kind: 'identity-unlinked' }))];
      assert.deepEqual(
        events.map(({ userId, reason, about }) => [userId, reason, about]),
        [[former, 'linked-anew', 'google']],
      );
    });

    test('a user links an account, logs in with it, and unlinks it', async () => {
      const fake = createGoogle();
      await using opened = await open({ fetch: fake.fetch, stores: store, settings: { SIGN_UP: 'off' } });
      const browser = opened.createBrowser();
      await browser.logIn();
      const elsewhere = await opened.logIn();
      await link(browser, fake);
      assert.equal(await opened.isSignedIn(elsewhere.cookie), false, 'the other sessions end');
      assert.equal(await browser.whoAmI(), ann.username);

      const other = opened.createBrowser();
      await other.back(fake.authorize(await other.begin(), googleUser()));
      assert.equal(await other.whoAmI(), ann.username);
      const [mail] = await opened.mails();
      assert.match(mail?.text ?? '', /An account at Google was linked\.\s+From: .*account\/sign-in-methods/s);

      const answer = await browser.post(`${page}/unlink`, { id: await idOf(browser) });
      assert.equal(answer.headers.location, `${page}?state=unlinked`);
      assert.equal(await other.whoAmI(), undefined);
      const refused = await other.back(fake.authorize(await other.begin(), googleUser()));
      assert.equal(refused.statusCode, 403);
      const events = (await opened.decisions()).filter((event) => !event.startsWith('login-succeeded: password'));
      assert.deepEqual(events, [
        'identity-linked: by-owner',
        'login-succeeded: upstream',
        'identity-unlinked: by-owner',
        'upstream-refused: not-linked',
      ]);
    });

    test('of several first logins at the same time, one makes the account and all are signed in', {
      skip: store.ownTable === true,
    }, async () => {
      const fake = createGoogle();
      await using opened = await open({ fetch: fake.fetch, stores: store });
      const browsers = Array.from({ length: 6 }, () => opened.createBrowser());
      const backs: (() => ReturnType<Browser['back']>)[] = [];
      for (const browser of browsers) {
        const back = fake.authorize(await browser.begin(), googleUser());
        backs.push(() => browser.back(back));
      }
      for (const answer of await Promise.all(backs.map((back) => back())))
        assert.equal(answer.statusCode, 303, `${answer.body}\n${(await opened.decisions()).join('\n')}`);
      for (const browser of browsers) assert.equal(await browser.whoAmI(), 'gail@gmail.com');
      const events = await opened.decisions();
      assert.equal(events.filter((event) => event === 'identity-linked: new-account').length, 1);
    });

    test('of several uses of one state at the same time, one is taken', async () => {
      const fake = createGoogle();
      await using opened = await open({ fetch: fake.fetch, stores: store, settings: { SIGN_UP: 'off' } });
      const browser = opened.createBrowser();
      const back = fake.authorize(await browser.begin(), googleUser());
      const copies = Array.from({ length: 6 }, () => opened.createBrowser({ ...browser.jar }));
      const answers = await Promise.all(copies.map((copy) => copy.back(back)));
      const statuses = answers.map(({ statusCode }) => statusCode).sort();
      assert.deepEqual(statuses, [400, 400, 400, 400, 400, 403]);
      assert.equal(fake.calls.filter((url) => url.endsWith('/token')).length, 1);
    });
  });
}

for (const SECOND_FACTOR of ['optional', 'off'] as const)
  test(`an account without a password keeps its last way in, with SECOND_FACTOR=${SECOND_FACTOR}`, async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch, settings: { SECOND_FACTOR } });
    const browser = opened.createBrowser();
    await browser.back(fake.authorize(await browser.begin(), googleUser()));
    const unlink = async () => browser.post(`${page}/unlink`, { id: await idOf(browser) });
    assert.deepEqual(refusalOf(await unlink()), [
      409,
      'You could then no longer sign in. Set a password or add a passkey first.',
    ]);
    assert.equal(await browser.whoAmI(), 'gail@gmail.com');

    // With a passkey it may go, and the passkey is then the last way in.
    const { users, manageFactors } = opened.services;
    const account = await opened.account('gail@gmail.com');
    const added = await addPasskey(opened.services, account, createAuthenticator());
    // The session needs the passkey as fresh proof from now on.
    const signedIn = await opened.services.access.findSignedIn({ cookie: browser.jar.session });
    assert.ok(signedIn);
    await opened.services.sessions.renew(signedIn.session, { methods: ['fed', 'mfa'] }).then((session) => {
      browser.jar.session = session?.cookie ?? '';
    });
    // With SECOND_FACTOR=off, passkeys log nobody in.
    if (SECOND_FACTOR === 'off') return assert.equal((await unlink()).statusCode, 409);
    assert.equal((await unlink()).headers.location, `${page}?state=unlinked`);
    const now = await opened.services.access.findSignedIn({ cookie: browser.jar.session });
    assert.ok(now);
    const current = await users.findById(account.user.id);
    assert.ok(current);
    const change = { signedIn: now, account: current, language: 'en', caller: { route: 'a test' } } as const;
    await assert.rejects(manageFactors.removePasskey(change, added.id), { message: 'last-factor' });
  });

describe('linking is refused', () => {
  test('without a fresh proof', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch, time: Date.now() });
    const browser = opened.createBrowser();
    await browser.logIn();
    const sent = await offer(browser, fake);
    opened.pass(9.5 * 60 * 1000);
    assert.equal((await browser.get(page)).statusCode, 200);
    opened.pass(60 * 1000);
    const confirm = `/auth/confirm?next=${encodeURIComponent(`${page}?unsent=1`)}`;
    for (const [path, fields] of [
      ['begin', { upstream: 'google' }],
      ['link', { link: sent }],
      ['unlink', { id: 'x' }],
    ] as const)
      assert.equal((await browser.post(`${page}/${path}`, fields)).headers.location, confirm, path);
  });

  test('to another session than the one that began', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    await opened.people.add({
      username: 'eve@example.com',
      firstName: 'E',
      lastName: 'E',
      password: 'correct horse battery',
    });
    const [victim, attacker] = [opened.createBrowser(), opened.createBrowser()];
    await victim.logIn();
    attacker.jar.session = sessionIn(await opened.logIn('eve@example.com'));
    const url = leadOf(await attacker.post(`${page}/begin`, { upstream: 'google' }));
    const back = fake.authorize(url, googleUser());
    // The attacker brings cookie and address into the browser of the victim.
    victim.jar.upstream = attacker.jar.upstream ?? '';
    assert.equal((await victim.back(back)).statusCode, 400);
    const sent = fake.authorize(leadOf(await attacker.post(`${page}/begin`, { upstream: 'google' })), googleUser());
    const offered = /name="link" value="([^"]+)"/.exec((await attacker.back(sent)).body)?.[1];
    assert.equal((await victim.post(`${page}/link`, { link: offered })).statusCode, 400);
    assert.equal((await victim.post(`${page}/link`, { link: 'x' })).statusCode, 400);
  });

  test('by a button that was pressed before', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    const browser = opened.createBrowser();
    await browser.logIn();
    const sent = { link: await offer(browser, fake) };
    assert.equal((await browser.post(`${page}/link`, sent)).statusCode, 303);
    await browser.post(`${page}/unlink`, { id: await idOf(browser) });
    const again = await browser.post(`${page}/link`, sent);
    assert.equal(again.statusCode, 400);
    assert.match(again.body, /href="\/auth\/login">Sign in</);
  });

  test('of an account that another one has, and so is unlinking', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    const [gail, browser] = [opened.createBrowser(), opened.createBrowser()];
    await browser.logIn();
    const early = await offer(browser, fake);
    await gail.back(fake.authorize(await gail.begin(), googleUser()));
    const taken = [409, 'That account is linked with another account here.'];
    assert.deepEqual(refusalOf(await browser.post(`${page}/link`, { link: early })), taken);
    const url = leadOf(await browser.post(`${page}/begin`, { upstream: 'google' }));
    assert.deepEqual(refusalOf(await browser.back(fake.authorize(url, googleUser()))), taken);
    const unlinking = await browser.post(`${page}/unlink`, { id: await idOf(gail) });
    assert.equal(unlinking.statusCode, 404);
    assert.ok(await idOf(gail), 'the owner still has it');
  });

  test('of nothing: the user has it already', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    const browser = opened.createBrowser();
    await browser.logIn();
    await link(browser, fake);
    const url = leadOf(await browser.post(`${page}/begin`, { upstream: 'google' }));
    assert.equal((await browser.back(fake.authorize(url, googleUser()))).headers.location, `${page}?state=known`);
  });
});

test('a disabled account is refused like an answer that is not valid', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const browser = opened.createBrowser();
  await browser.back(fake.authorize(await browser.begin(), googleUser()));
  await opened.people.disable('gail@gmail.com');
  assert.equal(await browser.whoAmI(), undefined);
  const back = fake.authorize(await browser.begin(), googleUser());
  assert.deepEqual(refusalOf(await browser.back(back)), [
    403,
    'You could not be signed in with that provider. Try again, or sign in another way.',
  ]);
  assert.equal((await opened.decisions()).at(-1), 'upstream-refused: disabled-user');
});

test('an account that was removed leaves nothing, and the next login makes a new one', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const browser = opened.createBrowser();
  await browser.back(fake.authorize(await browser.begin(), googleUser()));
  await opened.people.remove('gail@gmail.com');
  await browser.back(fake.authorize(await browser.begin(), googleUser()));
  assert.equal(await browser.whoAmI(), 'gail@gmail.com');
});

describe('the second factor of the account', () => {
  async function openWithFactor(countsAsSecondFactor: string[]) {
    const fake = createGoogle();
    const opened = await open({ entries: [{ ...google, countsAsSecondFactor }], fetch: fake.fetch });
    const browser = opened.createBrowser();
    await browser.logIn();
    await link(browser, fake);
    const { createEnrolmentLink, enrolment } = opened.services;
    const account = await opened.account();
    const token = (await createEnrolmentLink(provedBy(account))).split('=')[1] ?? '';
    const { secret } = await enrolment.begin(token, caller);
    await enrolment.finish(token, codeOf(secret, Date.now()), 'en', caller);
    return { fake, opened, secret };
  }

  test('is still asked for, and leads to where the login was to lead', async () => {
    const { fake, opened, secret } = await openWithFactor(['mfa']);
    await using _ = opened;
    const browser = opened.createBrowser();
    const url = await browser.begin('google', { next: '/account' });
    const answer = await browser.back(fake.authorize(url, googleUser({ acr: 'no mfa', amr: ['pwd', 'nomfa'] })));
    assert.equal(answer.headers.location, '/auth/second-factor?next=%2Faccount');
    assert.equal(await browser.whoAmI(), undefined);
    assert.ok(browser.jar.pending);
    const step = { method: 'totp', code: codeOf(secret, Date.now() + 30_000), next: '/account' };
    assert.equal((await browser.post('/auth/second-factor', step)).headers.location, '/account');
    assert.equal((await opened.decisions()).at(-1), 'login-succeeded: upstream+totp');
  });

  for (const claims of [{ amr: ['pwd', 'mfa'] }, { acr: 'mfa' }])
    test(`is not asked for with ${JSON.stringify(claims)}, if that counts by the settings`, async () => {
      const { fake, opened } = await openWithFactor(['mfa']);
      await using _ = opened;
      const browser = opened.createBrowser();
      await browser.back(fake.authorize(await browser.begin(), googleUser(claims)));
      assert.equal(await browser.whoAmI(), ann.username);
      const signedIn = await opened.services.access.findSignedIn({ cookie: browser.jar.session });
      assert.deepEqual(signedIn?.session.methods, ['fed', 'mfa']);
    });

  test('is asked for whatever the provider says, if nothing counts', async () => {
    const { fake, opened } = await openWithFactor([]);
    await using _ = opened;
    const browser = opened.createBrowser();
    const answer = await browser.back(fake.authorize(await browser.begin(), googleUser({ amr: ['mfa'], acr: 'mfa' })));
    assert.equal(answer.headers.location, '/auth/second-factor');
  });
});

test('a login by another provider needs a second factor, if every account must have one', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch, settings: { SECOND_FACTOR: 'required' } });
  const browser = opened.createBrowser();
  const answer = await browser.back(fake.authorize(await browser.begin(), googleUser()));
  assert.equal(answer.headers.location, '/auth/enrol-factor?state=1');
  assert.equal(browser.jar.session, undefined);
});

test('a program begins too, and gets the address as JSON', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const answer = await opened.post('/api/upstream/google');
  assert.equal(answer.statusCode, 200);
  assert.deepEqual(Object.keys(answer.json()), ['url']);
  const cookie = answer.cookies.find(({ name }) => name === 'upstream');
  const browser = opened.createBrowser({ upstream: cookie?.value ?? '' });
  await browser.back(fake.authorize(answer.json().url, googleUser()));
  assert.equal(await browser.whoAmI(), 'gail@gmail.com');
});

test('a user of a provider has a name that is one plain line of a bounded length, or is called by the subject', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const browser = opened.createBrowser();
  await browser.logIn();
  for (const email of ['gail\u202E@gmail.com', 'gail\n@gmail.com', `${'x'.repeat(300)}@gmail.com`]) {
    const url = leadOf(await browser.post(`${page}/begin`, { upstream: 'google' }));
    const shown = await browser.back(fake.authorize(url, googleUser({ sub: '4711', email })));
    assert.match(shown.body, /signed in at Google as 4711[^\d]/, email);
  }
});

test('an account without a password can set one', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const browser = opened.createBrowser();
  await browser.back(fake.authorize(await browser.begin(), googleUser()));
  const answer = await browser.post('/account/password', {
    new_password: 'staple of many batteries',
  });
  assert.equal(answer.headers.location, '/account?state=1');
  const removed = await browser.post(`${page}/unlink`, { id: await idOf(browser) });
  assert.equal(removed.headers.location, `${page}?state=unlinked`);
});

test('the export has the linked accounts', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const browser = opened.createBrowser();
  await browser.logIn();
  await link(browser, fake);
  const { identities } = (await browser.get('/api/account/export')).json();
  assert.deepEqual(
    identities.map(({ upstream, name }: Record<string, string>) => [upstream, name]),
    [['google', 'gail@gmail.com']],
  );
});
