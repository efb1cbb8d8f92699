import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { ann, caller, password, startJanua, type TestOptions } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { asJson, bodyFaces, form, json, sessionCookie } from '../../web/faces.ts';
import { addPasskey } from './add-passkey.ts';
import { type AuthenticatorOptions, createAuthenticator, type Tricks } from './authenticator.ts';
import { addApp, codeOf } from './authenticator-app.ts';

/** A server with an account of Ann, and a passkey of hers. */
async function open(options: TestOptions = {}, device: AuthenticatorOptions = {}) {
  const janua = await startJanua(options);
  const { services } = janua;
  const { passkeys } = services.factors;
  assert.ok(passkeys);
  const account = await services.users.adoptByUsername(ann.username);
  assert.ok(account);
  const { user } = account;
  const authenticator = createAuthenticator(device);
  const added = await addPasskey(services, account, authenticator);

  /** Asks for options as a browser does, and gives them with the cookie that it got. */
  async function begin() {
    const answer = await janua.post('/auth/passkey/options', undefined, asJson);
    assert.equal(answer.statusCode, 200);
    const ceremony = answer.cookies.find(({ name }) => name === 'ceremony');
    return { options: answer.json(), cookie: `ceremony=${ceremony?.value}` };
  }
  /** What the form of the page sends, and its cookie. */
  async function prove(tricks?: Tricks) {
    const { options, cookie } = await begin();
    return { credential: authenticator.get(options, tricks), cookie };
  }
  return {
    ...janua,
    ...{ passkeys, authenticator, user, added, begin, prove },
  };
}

const stores: StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'SQL', ownTable: true },
];

for (const store of stores) {
  const name = `${store.users}, sessions in ${store.sessions}${store.ownTable ? ', own table' : ''}`;
  describe(`with ${name}`, { skip: missing(store.users, store.sessions) }, () => {
    test('a passkey that is removed while it logs in starts no session', async () => {
      await using opened = await open({ stores: store });
      const { services, prove, post, user } = opened;
      const { credential, cookie } = await prove();
      const { findById } = services.users;
      Object.assign(services.users, {
        // Between the proof of the passkey and the look at its account.
        async findById(id: string) {
          Object.assign(services.users, { findById });
          await services.administration.removeFactors({ userId: user.id });
          return findById(id);
        },
      });
      const answer = await post('/api/passkey', { credential }, { cookie });
      assert.equal(answer.statusCode, 400, answer.body);
      assert.deepEqual(await services.sessions.listOf(user.id, undefined), []);
    });

    test('a passkey logs its user in, once for each challenge, in every face', async () => {
      await using opened = await open({ stores: store });
      const { app, services, prove, isSignedIn, user } = opened;
      const faces = bodyFaces('/auth/passkey', '/api/passkey');
      let former: string | undefined;
      for (const [index, { name, format, request }] of faces.entries()) {
        const { credential, cookie } = await prove();
        const remember = [{ remember: 'on' }, { remember: '' }, {}][index % 3];
        const sent = request({ credential: JSON.stringify(credential), next: '/admin/me', ...remember });
        const send = () => app.inject({ ...sent, headers: { ...sent.headers, cookie: `${cookie}; ${former}` } });
        const answer = await send();
        if (former !== undefined)
          assert.equal(await isSignedIn({ cookie: former }), false, `${name}: the session before`);
        former = `session=${sessionCookie(answer)}`;
        if (format === 'html') {
          assert.deepEqual([answer.statusCode, answer.headers.location], [303, '/admin/me'], name);
          assert.doesNotMatch(JSON.stringify(answer.headers) + answer.body, /janua_/, `${name}: no access token`);
        } else {
          assert.equal(answer.statusCode, 200, name);
          assert.ok(await isSignedIn({ authorization: `Bearer ${answer.json().access_token}` }), name);
        }
        assert.ok(await isSignedIn({ cookie: former }), name);
        const session = answer.cookies.find((one) => one.name === 'session');
        assert.equal(
          session?.maxAge !== undefined,
          remember?.remember === 'on',
          `${name}: only a remembered cookie outlives the browser`,
        );
        assert.equal(sessionCookie(await send()), undefined, `${name}: a replay starts no session`);
      }
      assert.equal((await services.sessions.listOf(user.id, undefined)).length, 1);
      assert.deepEqual(
        await opened.kinds(/passkey|login/),
        faces.flatMap(() => ['login-succeeded: passkey', 'passkey-refused: expired-challenge']),
      );
    });
  });
}

test('a login drops a next that is too long', async () => {
  await using opened = await open();
  const { post, prove } = opened;
  const { credential, cookie } = await prove();
  const sent = { credential: JSON.stringify(credential), next: '/a'.repeat(5000) };
  const answer = await post('/auth/passkey', sent, { cookie });
  assert.deepEqual([answer.statusCode, answer.headers.location], [303, '/auth/home']);
  assert.ok(sessionCookie(answer));
});

test('a program may send the credential as an object', async () => {
  await using opened = await open();
  const { post, prove } = opened;
  const { credential, cookie } = await prove();
  const answer = await post('/api/passkey', { credential }, { cookie });
  assert.equal(answer.statusCode, 200);
  assert.deepEqual(Object.keys(answer.json()), ['access_token', 'token_type', 'expires_in']);
});

test('the session tells how its user signed in', async () => {
  for (const isSyncable of [false, true]) {
    await using opened = await open({}, { isSyncable });
    const { post, prove, services } = opened;
    const { credential, cookie } = await prove();
    const answer = await post('/api/passkey', { credential }, { cookie });
    const signedIn = await services.access.findSignedIn({ cookie: sessionCookie(answer) });
    assert.deepEqual(signedIn?.session.methods, [isSyncable ? 'swk' : 'hwk', 'user']);
  }
});

interface Case {
  readonly tricks?: Tricks;
  readonly before?: (opened: Awaited<ReturnType<typeof open>>) => Promise<unknown>;
  readonly cookie?: string;
  readonly reason: string;
}

const remove = ({ passkeys, user, added }: Awaited<ReturnType<typeof open>>) => passkeys.remove(user, added.id);

const refused: Record<string, Case> = {
  'from another origin': { tricks: { origin: 'http://evil.example' }, reason: 'invalid-response' },
  'without user verification': { tricks: { isVerified: false }, reason: 'invalid-response' },
  'without the cookie': { cookie: '', reason: 'expired-challenge' },
  'with two of the cookies': { cookie: 'ceremony=a; ceremony=b', reason: 'expired-challenge' },
  'of another browser': { cookie: `ceremony=${'a'.repeat(43)}`, reason: 'expired-challenge' },
  'that was removed': { before: remove, reason: 'unknown-passkey' },
  'of a disabled user': { before: ({ people }) => people.disable(ann.username), reason: 'disabled-user' },
  'of a user who is gone': {
    before: ({ people }) => people.remove(ann.username),
    reason: 'unknown-passkey',
  },
};

describe('a login is refused with a passkey', () => {
  for (const [name, { tricks, before, cookie: other, reason }] of Object.entries(refused))
    test(name, async () => {
      await using opened = await open();
      const { prove, post } = opened;
      const { credential, cookie } = await prove(tricks);
      await before?.(opened);
      const sent = { credential: JSON.stringify(credential), next: '/admin/me' };
      const headers = { cookie: other ?? cookie };
      const answer = await post('/api/passkey', sent, headers);
      assert.equal(answer.statusCode, 400);
      const isUnknown = reason === 'unknown-passkey';
      const words = isUnknown ? 'There is no such passkey' : 'This passkey cannot be used here';
      const { error, error_description: detail } = answer.json();
      assert.deepEqual([error, detail], ['invalid_grant', words]);
      assert.equal(sessionCookie(answer), undefined);
      assert.deepEqual(await opened.kinds(/passkey|login/), [`passkey-refused: ${reason}`]);

      const page = await post('/auth/passkey', sent, headers);
      if (isUnknown) return;
      assert.deepEqual([page.statusCode, page.headers.location], [303, '/auth/login?state=8&next=%2Fadmin%2Fme']);
      const [failure] = page.cookies;
      const shown = await opened.get(String(page.headers.location), { cookie: `${failure?.name}=${failure?.value}` });
      assert.match(shown.body, /You could not be signed in with this passkey/);
      assert.match(shown.body, new RegExp(`<code>${page.headers['x-request-id']}</code>`));
    });

  test('that is no JSON, is missing, is sent twice or is something else', async () => {
    await using opened = await open();
    const { app, begin } = opened;
    const { cookie } = await begin();
    for (const sent of [
      ...[form({}), form({ credential: '' }), form({ credential: '{' }), form({ credential: ['a', 'b'] })],
      ...[
        json({}),
        json({ credential: null }),
        json({ credential: 5 }),
        json({ credential: [] }),
        json({ credential: {} }),
      ],
      json({ credential: { id: 'A'.repeat(60_000) } }),
    ])
      for (const url of ['/api/passkey', '/auth/passkey']) {
        const headers = { ...sent.headers, ...asJson, cookie };
        const answer = await app.inject({ method: 'POST', url, ...sent, headers });
        const isLong = String(sent.payload).length > 20_000;
        assert.equal(answer.statusCode, isLong ? 422 : 400, String(sent.payload).slice(0, 99));
      }
  });
});

test('only the answer to an unknown passkey lets the browser forget it', async () => {
  await using opened = await open();
  const { post, passkeys, user, added, prove } = opened;
  const { credential, cookie } = await prove();
  await passkeys.remove(user, added.id);
  const page = await post('/auth/passkey', { credential: JSON.stringify(credential) }, { cookie });
  assert.equal(page.statusCode, 400);
  assert.match(page.body, /This passkey is not known here any more/);
  assert.ok(page.body.includes(`data-unknown="${JSON.stringify(credential).replaceAll('"', '&quot;')}"`));
  const linked = await opened.get('/auth/login?state=9&credential=x');
  assert.match(linked.body, /This passkey is not known here any more/);
  assert.doesNotMatch(linked.body, /data-unknown/);
});

test('a user who only looks leaves nothing, and keeps the cookie for all tabs', async () => {
  await using opened = await open();
  const { begin } = opened;
  const { options, cookie } = await begin();
  assert.deepEqual(options, {
    challenge: options.challenge,
    rpId: 'localhost',
    allowCredentials: [],
    userVerification: 'required',
    timeout: 300_000,
  });
  const again = await opened.post('/api/passkey/options', undefined, { cookie });
  assert.deepEqual(
    again.cookies.map(({ name, value, httpOnly, sameSite, maxAge }) => [
      `${name}=${value}`,
      httpOnly,
      sameSite,
      maxAge,
    ]),
    [[cookie, true, 'Lax', 600]],
  );
  const forced = await opened.post('/api/passkey/options', undefined, { cookie: 'ceremony=known' });
  assert.notEqual(forced.cookies[0]?.value, 'known', 'no client chooses the value');
  const page = await opened.post('/auth/passkey/options');
  assert.deepEqual([page.statusCode, page.headers.location], [303, '/auth/login']);
});

test('wrong passkeys, which cannot be guessed, do not make the owner at the same address wait', async () => {
  await using opened = await open({ settings: { THROTTLE: 'on' } });
  const { services, begin, authenticator } = opened;
  const client = { ...caller, address: '192.0.2.1' };
  async function logIn(tricks?: Tricks) {
    const { options, cookie } = await begin();
    const login = { credential: authenticator.get(options, tricks), headers: { cookie }, presented: {} };
    const how = { remembered: false, language: 'en' } as const;
    return services.logInByPasskey?.({ ...login, ...how }, client);
  }
  for (let count = 0; count < 25; count++) await assert.rejects(logIn({ isVerified: false }), /passkey-refused/);
  assert.ok((await logIn())?.session);
});

test('a login that a second factor finishes clears the failures of its password, whatever the factor', async () => {
  await using opened = await open({ settings: { THROTTLE: 'on' }, time: Date.now() });
  const { authenticator, post } = opened;
  const secret = await addApp(opened, await opened.account());
  const send = (given: string) => post('/api/login', { username: ann.username, password: given });
  // An eighth failure would make the user wait.
  const fail = async () => {
    for (let count = 0; count < 7; count += 1) assert.equal((await send('wrong')).statusCode, 400);
  };
  await fail();
  for (const method of ['passkey', 'totp']) {
    // The address is forgiven its failures.
    opened.pass(3_600_000);
    const { mfa_token } = (await send(password)).json();
    const asked = await post('/api/second-factor/options', { mfa_token });
    const credential = authenticator.get(asked.json());
    const step = {
      mfa_token,
      method,
      ...(method === 'passkey' ? { credential } : { code: codeOf(secret, opened.now()) }),
    };
    const cookie = `ceremony=${asked.cookies.find(({ name }) => name === 'ceremony')?.value}`;
    assert.equal((await post('/api/second-factor', step, { cookie })).statusCode, 200, method);
    await fail();
  }
});

test('SECOND_FACTOR=off, or a host that is an address, leaves passkeys out', async () => {
  for (const settings of [
    { SECOND_FACTOR: 'off' as const },
    { PUBLIC_URL: 'https://192.0.2.1' },
    { PUBLIC_URL: 'https://[2001:db8::1]' },
    { PUBLIC_URL: 'http://auth.example.com' },
  ]) {
    await using janua = await startJanua({ settings });
    for (const url of ['/auth/passkey', '/auth/passkey/options', '/api/passkey'])
      assert.equal((await janua.post(url)).statusCode, 404);
    assert.doesNotMatch((await janua.get('/auth/login')).body, /passkey|webauthn/);
  }
});

test('a host that can have no passkeys still refuses the password alone to an account with one', async () => {
  await using janua = await startJanua({ settings: { PUBLIC_URL: 'https://192.0.2.1' } });
  const { services } = janua;
  const account = await services.users.adoptByUsername(ann.username);
  assert.ok(account);
  const owner = account.user;
  const kind = { counter: 0, syncable: false, synced: false, transports: 'usb', aaguid: '' };
  const made = { credential_id: 'made-elsewhere', public_key: '', ...kind };
  await services.hold(provedBy(account), (held) => services.factors.passkeys.add(held, made));
  const answer = await janua.post('/api/login', { username: ann.username, password });
  assert.deepEqual([answer.statusCode, answer.json().methods], [403, ['passkey']]);
  await services.manageFactors.removeAll(account.user, { caller });
  assert.deepEqual((await services.factors.list(owner)).passkeys, []);
});

test('browsers and providers of passkeys are told what the account has, and where it is managed', async () => {
  await using opened = await open({ settings: { PUBLIC_URL: 'http://localhost:5000' } });
  const { authenticator, passkeys, user, added } = opened;
  const { credential, cookie: ceremony } = await opened.prove();
  const admitted = await opened.post('/auth/passkey', { credential: JSON.stringify(credential) }, { cookie: ceremony });
  const headers = { cookie: `session=${sessionCookie(admitted)}` };
  async function signals() {
    const pages = await Promise.all(['/account', '/account/security'].map((url) => opened.get(url, headers)));
    const told = pages.map(({ body }) =>
      JSON.parse(/data-signal="([^"]*)"/.exec(body)?.[1]?.replaceAll('&quot;', '"') ?? '{}'),
    );
    assert.deepEqual(told[0], told[1]);
    const programs = await opened.get('/api/account', headers);
    assert.equal(programs.json().signal, undefined);
    return told[0];
  }
  const { user_handle: userId } = added;
  const named = { rpId: 'localhost', userId, name: ann.username, displayName: `${ann.firstName} ${ann.lastName}` };
  assert.deepEqual(await signals(), { ...named, allAcceptedCredentialIds: [authenticator.id] });
  await passkeys.remove(user);
  assert.deepEqual(await signals(), { ...named, allAcceptedCredentialIds: [] }, 'the browser forgets the last one too');
  for (const file of ['apple-app-site-association', 'assetlinks.json'])
    assert.equal((await opened.get(`/.well-known/${file}`)).statusCode, 404, 'no application is named');
  const places = await opened.get('/.well-known/passkey-endpoints', { origin: 'https://provider.example' });
  const security = 'http://localhost:5000/account/security';
  assert.deepEqual([places.statusCode, places.json()], [200, { enroll: security, manage: security }]);
  assert.match(String(places.headers['content-type']), /^application\/json/);
});
