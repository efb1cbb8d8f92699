import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { stampOf } from '../../../src/core/users/account.ts';
import { AccountChanged, provedBy } from '../../../src/core/users/held.ts';
import type { Settings } from '../../../src/ground/config/settings.ts';
import { ann, caller, password, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { type BodyFace, bodyFaces, loginFaces, sessionCookie } from '../../web/faces.ts';
import { addPasskey } from './add-passkey.ts';
import { createAuthenticator } from './authenticator.ts';
import { addApp, codeOf } from './authenticator-app.ts';

const stores: StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'SQL', ownTable: true },
];

/** A server on which every account must have a second factor. */
async function open(stores: StoreChoice = { users: 'SQLite', sessions: 'SQL' }, settings: Partial<Settings> = {}) {
  const janua = await startJanua({
    ...{ stores, time: Date.now(), settings: { SECOND_FACTOR: 'required', ...settings } },
  });
  const { services } = janua;
  /** The texts of the mails with that subject, newest first. */
  const textsOf = async (subject: string) =>
    (await janua.mails()).filter((mail) => mail.subject === subject).map(({ text }) => text);
  const tokenIn = (text = '') => /token=([\w-]{43})/.exec(text)?.[1] ?? assert.fail(`no link in ${text}`);
  return {
    ...janua,
    textsOf,
    codeOf: (secret: string) => codeOf(secret, janua.now()),
    tokenMailed: async () => tokenIn((await textsOf('Add a second factor'))[0]),
    /** A link as an operator makes it. */
    async makeToken() {
      const account = await services.users.adoptByUsername(ann.username);
      assert.ok(account);
      return tokenIn(await services.createEnrolmentLink(provedBy(account)));
    },
    login: () => janua.post('/api/login', { username: ann.username, password }),
  };
}

function assertExpired(answer: LightMyRequestResponse): void {
  assert.equal(answer.statusCode, 410, answer.body);
  assert.equal(sessionCookie(answer), undefined);
}

for (const store of stores) {
  const name = `${store.users}, sessions in ${store.sessions}${store.ownTable ? ', own table' : ''}`;
  describe(`a factor is required, with ${name}`, { skip: missing(store.users, store.sessions) }, () => {
    test('a password gets no session in any face, but a mail', async () => {
      await using opened = await open(store);
      for (const { name, format, request } of loginFaces) {
        const answer = await opened.send(request({ username: ann.username, password }));
        assert.equal(sessionCookie(answer), undefined, name);
        assert.ok(answer.cookies.every(({ name }) => name !== 'pending'));
        if (format === 'html')
          assert.deepEqual([answer.statusCode, answer.headers.location], [303, '/auth/enrol-factor?state=1'], name);
        else assert.deepEqual([answer.statusCode, answer.json().error], [403, 'enrolment_required'], name);
      }
      assert.match((await opened.get('/auth/enrol-factor?state=1')).body, /We have sent you a mail/);
      assert.ok((await opened.textsOf('Add a second factor')).length > 0);
      assert.ok((await opened.kinds(/^enrolment/)).includes('enrolment-demanded'));
      const wrong = await opened.post('/api/login', { username: ann.username, password: 'wrong' });
      assert.equal(wrong.json().error, 'invalid_grant', 'a wrong password does not tell that a factor is missing');
    });

    test('the page that asks for a factor leads back to where the login was to lead', async () => {
      await using opened = await open(store);
      const [{ request }] = loginFaces as readonly [BodyFace];
      const next = '/oidc/auth?client_id=x&scope=openid';
      for (const [sent, kept] of [
        [next, `next=${encodeURIComponent(next)}`],
        ['//evil.example', undefined],
      ] as const) {
        const answer = await opened.send(request({ username: ann.username, password, next: sent }));
        const location = String(answer.headers.location);
        assert.equal(location, ['/auth/enrol-factor?state=1', kept].filter(Boolean).join('&'));
        const page = (await opened.get(location)).body;
        assert.ok(page.includes(`href="${['/auth/login', kept].filter(Boolean).join('?')}"`), page);
      }
    });

    test('the link adds a factor and starts no session, and the login then asks for it', async () => {
      await using opened = await open(store);
      const { post, get } = opened;
      await opened.login();
      const token = await opened.tokenMailed();
      for (let looks = 0; looks < 3; looks += 1) {
        const page = await get(`/auth/enrol-factor?token=${token}`);
        assert.equal(page.statusCode, 200, page.body);
        assert.doesNotMatch(page.body, /secret=/, 'a mail scanner gets no secret');
      }
      assert.deepEqual((await get(`/api/enrol-factor?token=${token}`)).json(), { email: ann.username });
      const begun = await post('/auth/enrol-factor/begin', { token });
      const secret = /secret=([A-Z2-7]{32})/.exec(begun.body)?.[1] ?? assert.fail(begun.body);
      // A look replaces no secret.
      for (const path of ['/auth/enrol-factor', '/api/enrol-factor'])
        assert.equal((await get(`${path}?token=${token}`)).statusCode, 200);
      const wrong = await post('/auth/enrol-factor', { token, code: '000000' });
      assert.equal(wrong.statusCode, 422);
      assert.match(wrong.body, /This code is not valid/);
      const done = await post('/auth/enrol-factor', { token, code: opened.codeOf(secret) });
      assert.equal(done.statusCode, 200, done.body);
      const codes = done.body.match(/[0-9A-Z]{4}(-[0-9A-Z]{4}){5}/g) ?? [];
      assert.equal(new Set(codes).size, 10);
      assert.match(done.body, /Your authenticator app is set up/);
      const [, login] = /href="(\/auth\/login\?state=12)"/.exec(done.body) ?? assert.fail(done.body);
      assert.match((await get(login ?? '')).body, /Your authenticator app is set up/);
      assert.equal(sessionCookie(done), undefined);
      const [told, ...others] = await opened.textsOf('Your second factors were changed');
      assert.match(told ?? '', /An authenticator app was added\.\s+From: \w+/);
      assert.equal(others.length, 0);
      assertExpired(await post('/api/enrol-factor/begin', { token }));

      const { error, mfa_token } = (await opened.login()).json();
      assert.equal(error, 'mfa_required');
      const step = await post('/api/second-factor', { mfa_token, method: 'recovery_code', code: codes[0] });
      assert.ok(await opened.isSignedIn({ authorization: `Bearer ${step.json().access_token}` }), step.body);
      const [used] = await opened.textsOf('A recovery code was used');
      assert.match(used ?? '', /You have 9\s+left\.\s+From: \w+.*\/account\/security/s);
    });

    test('of 20 uses of a link at the same time, one succeeds', async () => {
      await using opened = await open(store);
      const token = await opened.makeToken();
      const { secret } = (await opened.post('/api/enrol-factor/begin', { token })).json();
      const code = opened.codeOf(secret);
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => opened.post('/api/enrol-factor', { token, code })),
      );
      const statuses = answers.map(({ statusCode }) => statusCode);
      assert.equal(statuses.filter((status) => status === 200).length, 1, String(statuses));
      assert.ok(
        statuses.every((status) => [200, 410, 422, 503].includes(status)),
        String(statuses),
      );
      assert.equal(answers.find(({ statusCode }) => statusCode === 200)?.json().recovery_codes.length, 10);
    });

    test('a session from before goes on', async () => {
      await using opened = await open(store);
      const { services } = opened;
      const account = await services.users.adoptByUsername(ann.username);
      assert.ok(account);
      const owner = { userId: account.user.id, stamp: stampOf(account) };
      const session = await services.sessions.start(owner, { methods: ['pwd'] });
      assert.ok(await opened.isSignedIn({ authorization: `Bearer ${session.accessToken}` }));
    });
  });
}

for (const store of stores)
  describe(`a group demands a factor, with ${JSON.stringify(store)}`, {
    skip: missing(store.users, store.sessions),
  }, () => {
    async function openGroup(policy: 'optional' | 'off' = 'optional') {
      const opened = await open(store, { SECOND_FACTOR: policy });
      const { administration } = opened.services;
      for (const name of ['staff', 'press']) await administration.addGroup({ name, description: '', scopes: [] });
      await administration.setSecondFactor('staff', true);
      const join = (name: string) => administration.changeGroups(ann.username, { add: [name] });
      const error = async () => (await opened.login()).json().error as unknown;
      return { ...opened, administration, join, error };
    }

    test('of its users alone, as long as it demands one, and their sessions from before go on', async () => {
      await using opened = await openGroup();
      const { administration, join, error } = opened;
      await join('press');
      const { bearer } = await opened.logIn();
      assert.equal(await error(), undefined, 'another group does not matter');
      await join('staff');
      assert.equal(await error(), 'enrolment_required');
      assert.ok(await opened.isSignedIn(bearer));
      await administration.setSecondFactor('staff', false);
      assert.equal(await error(), undefined);
      await administration.setSecondFactor('staff', true);
      await administration.changeGroups(ann.username, { remove: ['staff'] });
      assert.equal(await error(), undefined);
      await join('staff');
      await assert.rejects(administration.removeGroup('staff'), { code: 'group-demands-factor' });
      assert.equal(await error(), 'enrolment_required');
    });

    test('which a session without one does not add: a stolen password would be enough', async () => {
      await using opened = await openGroup();
      const { bearer } = await opened.logIn();
      const begun = await opened.post('/api/account/security/totp/begin', {}, bearer);
      await opened.join('staff');
      const code = opened.codeOf(begun.json().secret);
      for (const [path, fields] of [
        ['totp/begin', {}],
        ['totp', { code }],
        ['passkeys/options', {}],
      ] as const) {
        const answer = await opened.post(`/api/account/security/${path}`, fields, bearer);
        assert.deepEqual([answer.statusCode, /a link by mail/.test(answer.body)], [403, true], path);
      }
      await opened.administration.changeGroups(ann.username, { remove: ['staff'] });
      assert.equal((await opened.post('/api/account/security/totp', { code }, bearer)).statusCode, 200);
    });

    test('which a mailed link adds, and which its user cannot remove', async () => {
      await using opened = await openGroup();
      const { post, join, administration } = opened;
      await join('staff');
      await opened.login();
      const token = await opened.tokenMailed();
      const { secret } = (await post('/api/enrol-factor/begin', { token })).json();
      const { recovery_codes } = (await post('/api/enrol-factor', { token, code: opened.codeOf(secret) })).json();
      const { mfa_token } = (await opened.login()).json();
      const login = await post('/api/second-factor', { mfa_token, method: 'recovery_code', code: recovery_codes[0] });
      const bearer = { authorization: `Bearer ${login.json().access_token}` };
      assert.equal((await post('/api/account/security/totp/remove', {}, bearer)).statusCode, 409);
      await administration.changeGroups(ann.username, { remove: ['staff'] });
      assert.equal((await post('/api/account/security/totp/remove', {}, bearer)).statusCode, 200);
    });

    test('unless second factors are off', async () => {
      await using opened = await openGroup('off');
      await opened.join('staff');
      assert.equal(await opened.error(), undefined);
    });
  });

describe('the link', () => {
  test('is void after 30 minutes, for another purpose, once there is a factor, and when the password changes', async () => {
    await using opened = await open();
    const { post, services } = opened;
    const late = await opened.makeToken();
    opened.pass(30 * 60_000);
    assertExpired(await post('/auth/enrol-factor/begin', { token: late }));
    for (const token of ['', 'x'.repeat(43), late])
      assertExpired(await opened.get(`/auth/enrol-factor?token=${token}`));
    await post('/api/forgot-password', { email: ann.username });
    const reset = /token=([\w-]{43})/.exec((await opened.textsOf('Choose a new password'))[0] ?? '')?.[1];
    assertExpired(await post('/api/enrol-factor/begin', { token: reset }));

    const before = await opened.makeToken();
    assert.equal((await post('/api/reset-password', { token: reset, password: 'a much better one' })).statusCode, 200);
    assertExpired(await post('/api/enrol-factor/begin', { token: before }));

    const [first, second] = [await opened.makeToken(), await opened.makeToken()];
    const { secret } = (await post('/api/enrol-factor/begin', { token: first })).json();
    assert.equal((await post('/api/enrol-factor', { token: first, code: opened.codeOf(secret) })).statusCode, 200);
    for (const url of ['/api/enrol-factor/begin', '/api/enrol-factor'])
      assertExpired(await post(url, { token: second, code: opened.codeOf(secret) }));
    const account = await services.users.adoptByUsername(ann.username);
    assert.ok(account);
    assert.deepEqual(await services.factors.methodsOf(account), ['totp', 'recovery_code']);
  });

  test('is mailed once a minute at most, whatever the login does', async () => {
    await using opened = await open(undefined, { THROTTLE: 'on' });
    for (let logins = 0; logins < 4; logins += 1) assert.equal((await opened.login()).statusCode, 403);
    assert.equal((await opened.textsOf('Add a second factor')).length, 1);
    opened.pass(61_000);
    await opened.login();
    assert.equal((await opened.textsOf('Add a second factor')).length, 2);
  });

  test('is asked of the operator where no mail is sent', async () => {
    let time = Date.now();
    await using janua = await startJanua({
      settings: { SECOND_FACTOR: 'required' },
      overrides: { now: () => time++, demoMailbox: false },
    });
    const login = await janua.post('/auth/token', { username: ann.username, password });
    assert.equal(login.headers.location, '/auth/enrol-factor?state=1');
    assert.match((await janua.get('/auth/enrol-factor?state=1')).body, /Ask the operator/);
  });
});

test('a sign-up makes the account, and leads to the link in place of a session', async () => {
  for (const { name, format, request } of bodyFaces('/auth/sign-up/finish', '/api/sign-up/finish')) {
    await using opened = await open(undefined, { SIGN_UP: 'on' });
    await opened.post('/api/sign-up', { email: 'new@example.com' });
    const token = /token=([\w-]{43})/.exec((await opened.textsOf('Finish your account'))[0] ?? '')?.[1];
    const answer = await opened.send(request({ token, first_name: 'N', last_name: 'New', password }));
    assert.equal(sessionCookie(answer), undefined, name);
    if (format === 'html') assert.equal(answer.headers.location, '/auth/enrol-factor?state=1', name);
    else assert.deepEqual([answer.statusCode, answer.json().error], [403, 'enrolment_required'], name);
    assert.equal((await opened.textsOf('Add a second factor')).length, 1, name);
    assert.ok(await opened.services.users.findByUsername('new@example.com'), name);
  }
});

describe('the last factor', () => {
  /** Ann's session by passkey, with the passkey. */
  async function addAnnsPasskey(opened: Awaited<ReturnType<typeof open>>) {
    const { services } = opened;
    const account = await services.users.adoptByUsername(ann.username);
    assert.ok(account);
    const authenticator = createAuthenticator();
    const passkey = await addPasskey(services, account, authenticator);
    return { account, passkey, authenticator };
  }

  for (const store of stores.filter(({ users }) => users !== 'SQLite'))
    test(`and an app, removed at the same time, leave one of them: ${JSON.stringify(store)}`, {
      skip: missing(store.users, store.sessions),
    }, async () => {
      await using opened = await open(store);
      const { services } = opened;
      const { account, passkey } = await addAnnsPasskey(opened);
      // As it is now: in a table of a team, the change has noted the user.
      const user = (await services.users.findById(account.user.id))?.user ?? assert.fail();
      await addApp(opened, { ...account, user });
      const proof = { userId: user.id, stamp: stampOf(account) };
      const session = await services.sessions.start(proof, { methods: ['pwd', 'otp', 'mfa'] });
      const by = { signedIn: { user, session, scopes: [], limited: false }, account, language: 'en' as const, caller };
      const removals = [services.manageFactors.removePasskey(by, passkey.id), services.manageFactors.removeTotp(by)];
      const ended = (await Promise.allSettled(removals)).map(({ status }) => status);
      assert.deepEqual(ended.toSorted(), ['fulfilled', 'rejected']);
      assert.equal((await services.factors.list(user)).hasAny, true);
    });

  test('cannot be removed where a factor is required, and the last but one can', async () => {
    await using opened = await open();
    const { post, services } = opened;
    const { account, passkey, authenticator } = await addAnnsPasskey(opened);
    const options = await opened.post('/api/passkey/options');
    const cookie = options.cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const credential = authenticator.get(options.json());
    const login = await post('/api/passkey', { credential }, { cookie });
    assert.equal(login.statusCode, 200, 'a passkey is enough to log in');
    const bearer = { authorization: `Bearer ${login.json().access_token}` };
    const refused = await post('/api/account/security/passkeys/remove', { id: passkey.id }, bearer);
    assert.equal(refused.statusCode, 409, refused.body);
    const page = await post('/account/security/passkeys/remove', { id: passkey.id }, bearer);
    assert.match(page.body, /must keep this factor/);
    assert.deepEqual(await services.factors.methodsOf(account), ['passkey']);
    assert.ok(await opened.isSignedIn(bearer), 'a refused change ends nothing');

    const { secret } = (await post('/api/account/security/totp/begin', {}, bearer)).json();
    const added = await post('/api/account/security/totp', { code: opened.codeOf(secret) }, bearer);
    const renewed = { authorization: `Bearer ${added.json().access_token}` };
    const removed = await post('/api/account/security/passkeys/remove', { id: passkey.id }, renewed);
    assert.equal(removed.statusCode, 200, removed.body);
    const last = { authorization: `Bearer ${removed.json().access_token}` };
    assert.equal((await post('/api/account/security/totp/remove', {}, last)).statusCode, 409);
  });

  test('of an account without a password cannot be removed if it is the last passkey', async () => {
    await using opened = await open(undefined, { SECOND_FACTOR: 'optional' });
    const { services } = opened;
    const { account, passkey } = await addAnnsPasskey(opened);
    const { user } = account;
    const session = await services.sessions.start({ userId: user.id, stamp: '' }, { methods: ['hwk', 'user'] });
    const by = { signedIn: { user, session, scopes: [], limited: false }, account, language: 'en' as const, caller };
    const setHash = (hash: string) =>
      services.hold(provedBy(account), async (held) => services.users.setPassword?.(held, hash));
    await setHash('');
    await assert.rejects(services.manageFactors.removePasskey(by, passkey.id), /last-factor/);
    assert.deepEqual(await services.factors.methodsOf(account), ['passkey']);
    await setHash('any');
    await services.manageFactors.removePasskey(by, passkey.id);
    assert.deepEqual(await services.factors.methodsOf(account), []);
  });
});

test('of several renewals of the recovery codes at the same time, one is made', {
  skip: missing('PostgreSQL'),
}, async () => {
  await using opened = await open({ users: 'PostgreSQL', sessions: 'SQL' }, { SECOND_FACTOR: 'optional' });
  const { services } = opened;
  const { cookie } = await opened.logIn();
  const { secret } = (await opened.post('/api/account/security/totp/begin', {}, cookie)).json();
  await opened.post('/api/account/security/totp', { code: opened.codeOf(secret) }, cookie);
  const account = await services.users.adoptByUsername(ann.username);
  assert.ok(account);
  const session = await services.sessions.start({ userId: account.user.id, stamp: '' }, { methods: ['pwd'] });
  const signedIn = { user: account.user, session, scopes: [], limited: false };
  const by = { signedIn, account, language: 'en' as const, caller };
  const renewals = Array.from({ length: 8 }, () => services.manageFactors.renewRecoveryCodes(by));
  const made: string[] = [];
  for (const result of await Promise.allSettled(renewals))
    if (result.status === 'fulfilled') made.push(...result.value.recoveryCodes);
    else assert.ok(result.reason instanceof AccountChanged);
  assert.equal(made.length, 10);
  const owner = account.user;
  assert.equal(await services.factors.recoveryCodes.count(owner), 10);
  assert.equal(await services.factors.recoveryCodes.use(owner, made[9] ?? ''), true);
});
