import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tooManyConfirmations } from '../../../src/capabilities/sign-in/refusals.ts';
import { insufficientUserAuthentication } from '../../../src/core/access/fresh-proof.ts';
import { InvalidFields, Refusal } from '../../../src/core/access/refusal.ts';
import type { Caller } from '../../../src/core/audit/event.ts';
import { stampOf } from '../../../src/core/users/account.ts';
import type { SentHeaders } from '../../client.ts';
import { ann, attempt, caller, password, startJanua, type TestOptions } from '../../janua.ts';
import { asJson } from '../../web/faces.ts';
import { startServer } from '../../web/server.ts';

/** Eight failures from one address make an account wait there. */
const client: Caller = { ...caller, address: '192.0.2.1' };
const request = { caller: client, headers: {} };

/** A server with a clock, and a session of Ann on it. */
async function open(options: TestOptions = {}) {
  const janua = await startJanua({ time: Date.now(), ...options });
  const { account, session } = await janua.services.logIn(attempt(ann.username, password), caller);
  const { requireFresh } = janua.services;
  const signedIn = { user: account.user, session, scopes: [], limited: false };
  return {
    ...janua,
    signedIn,
    requireFresh: (currentPassword?: string) => requireFresh(signedIn, currentPassword, request),
  };
}

const wrongPassword = (error: unknown) => {
  assert.ok(error instanceof InvalidFields);
  assert.deepEqual(error.faults, [{ field: 'current_password', code: 'wrong-password' }]);
  return true;
};

const needsProof = (maxAgeSeconds: number) => (error: unknown) => {
  assert.ok(error instanceof Refusal);
  assert.deepEqual(error.answer, { ...insufficientUserAuthentication, freshProof: { maxAgeSeconds } });
  return true;
};

describe('a change that wants a fresh proof', () => {
  test('passes for REAUTHENTICATION_SECONDS after the login, and not a millisecond longer', async () => {
    await using opened = await open({ settings: { REAUTHENTICATION_SECONDS: 300 } });
    const { pass, services, signedIn, requireFresh, kinds } = opened;
    pass(300_000);
    const withFactor = { ...signedIn, session: { ...signedIn.session, methods: ['pwd', 'otp', 'mfa'] as const } };
    await requireFresh();
    await requireFresh('');
    await services.requireFresh(withFactor, undefined, request);
    pass(1);
    await assert.rejects(requireFresh(), needsProof(300));
    await assert.rejects(requireFresh(''), needsProof(300));
    await assert.rejects(services.requireFresh(withFactor, undefined, request), needsProof(300));
    assert.deepEqual(await kinds(/^confirm/), Array(3).fill('confirm-required'));
  });

  test('passes again after the password is confirmed', async () => {
    await using opened = await open();
    const { pass, services, signedIn, requireFresh } = opened;
    pass(601_000);
    await assert.rejects(requireFresh(), needsProof(600));
    const { session } = await services.confirm.confirm(signedIn, { password, method: 'totp' }, request);
    assert.equal(session.id, signedIn.session.id);
    await services.requireFresh({ ...signedIn, session }, undefined, request);
  });

  test('counts from the proof, and not from a change after it that has given the session new credentials', async () => {
    await using opened = await open();
    const { pass, services, signedIn } = opened;
    pass(599_000);
    const session = await services.sessions.renew(signedIn.session, { stamp: signedIn.session.stamp });
    assert.ok(session);
    const later = { ...signedIn, session };
    await services.requireFresh(later, undefined, request);
    pass(2000);
    await assert.rejects(services.requireFresh(later, undefined, request), needsProof(600));
  });

  test('takes the right password as the proof, and refuses a wrong one even in a fresh session', async () => {
    await using opened = await open();
    const { pass, requireFresh, kinds } = opened;
    await assert.rejects(requireFresh('wrong'), wrongPassword);
    pass(601_000);
    await assert.rejects(requireFresh('wrong'), wrongPassword);
    await requireFresh(password);
    assert.deepEqual(await kinds(/^confirm/), [
      'confirm-failed: wrong-password',
      'confirm-failed: wrong-password',
      'confirmed',
    ]);
  });

  test('is refused once the account has changed since the request came in', async () => {
    await using opened = await open();
    const { people, requireFresh } = opened;
    await people.setPassword(ann.username, 'another horse battery');
    for (const secret of [password, 'another horse battery'])
      await assert.rejects(
        requireFresh(secret),
        (error) => error instanceof Refusal && error.answer.name === 'not-authenticated',
      );
  });
});

for (const ownTable of [false, true]) {
  const where = ownTable ? " in a team's own table" : '';
  test(`a session stays when the confirmed password is hashed anew${where}`, async () => {
    await using opened = await open({ stores: { users: 'SQLite', sessions: 'SQL', ownTable } });
    const { people, services } = opened;
    const weak = '$argon2id$v=19$m=16,t=2,p=1$b2szcWQ4a0tlTkFydUdOaw$7LX7WCYbItEMEwvH3yUxPA';
    const old = { username: 'old@example.com', firstName: 'O', lastName: 'D' };
    await (ownTable
      ? people.add({ ...old, password: 'password' })
      : services.registry?.add({ ...old, passwordHash: weak, demo: false }));
    const account = await services.users.adoptByUsername(old.username);
    assert.ok(account);
    const owner = { userId: account.user.id, stamp: stampOf(account) };
    const session = await services.sessions.start(owner, { methods: ['pwd'] });
    const confirmed = await services.confirm.confirm(
      { user: account.user, session, scopes: [], limited: false },
      { password: 'password', method: 'totp' },
      request,
    );
    assert.notEqual(confirmed.account.passwordHash, account.passwordHash);
    assert.ok(await services.access.findSignedIn({ cookie: confirmed.session.cookie }));
  });
}

describe('a wrong confirmation', () => {
  const settings = { THROTTLE: 'on' } as const;

  test('counts as a failed login, and a failed login counts as one of it', async () => {
    await using opened = await open({ settings });
    const { services, requireFresh, kinds } = opened;
    const { logIn: tryToLogIn } = services;
    for (let failures = 0; failures < 4; failures++) {
      await assert.rejects(tryToLogIn(attempt(ann.username, 'wrong'), client));
      await assert.rejects(requireFresh('wrong'), wrongPassword);
    }
    for (const stopped of [() => requireFresh(password), () => tryToLogIn(attempt(ann.username, password), client)])
      await assert.rejects(stopped, (error) => error instanceof Refusal && (error.retryAfterSeconds ?? 0) > 0);
    assert.equal((await kinds(/^confirm/)).at(-1), 'confirm-throttled');
  });

  test('is answered with 429 and the time to wait once there are too many', async () => {
    await using opened = await open({ settings });
    const { cookie } = await opened.logIn();
    const confirm = (url: string, secret: string) => opened.post(url, { password: secret }, cookie);
    for (let failures = 0; failures < 8; failures++)
      assert.equal((await confirm('/auth/confirm', 'wrong')).statusCode, 422);
    const program = await confirm('/api/confirm', password);
    assert.equal(program.statusCode, 429);
    assert.equal(program.json().error, tooManyConfirmations.error);
    const page = await confirm('/auth/confirm', password);
    assert.equal(page.statusCode, 429);
    assert.match(page.body, /Too many attempts/);
    for (const { headers } of [program, page]) assert.match(String(headers['retry-after']), /^\d+$/);
  });
});

test('a refusal for want of a proof leads a browser to the confirmation and back, and tells a program the age', async () => {
  await using server = await startServer({
    addRoutes: (app) =>
      app.post('/account/something', async () => {
        throw new Refusal({ ...insufficientUserAuthentication, freshProof: { maxAgeSeconds: 300 } });
      }),
  });
  const ask = (headers: SentHeaders = {}) =>
    server.post('/account/something?a=b', { new_password: 'x' }, { cookie: 'session=x', ...headers });
  const page = await ask();
  assert.equal(page.statusCode, 303);
  assert.equal(page.headers.location, '/auth/confirm?next=%2Faccount%2Fsomething%3Fa%3Db%26unsent%3D1');
  assert.equal(page.headers['set-cookie'], undefined, 'the session is alive');
  const program = await ask(asJson);
  assert.equal(program.statusCode, 401);
  assert.equal(
    program.headers['www-authenticate'],
    'Bearer realm="janua", error="insufficient_user_authentication", max_age=300',
  );
  assert.equal(program.json().error, 'insufficient_user_authentication');
});
