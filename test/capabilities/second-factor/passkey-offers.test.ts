import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Settings } from '../../../src/ground/config/settings.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { form, json, logIn } from '../../web/faces.ts';
import { createAuthenticator } from './authenticator.ts';

const day = 24 * 60 * 60 * 1000;
const declining = '/account/security/passkeys/decline';

async function open(stores: StoreChoice, settings: Partial<Settings> = {}) {
  let time = Date.now();
  const janua = await startJanua({ stores, settings, overrides: { now: () => time } });
  const { app, services } = janua;
  const isOffered = async (headers?: Record<string, string>) =>
    (await app.inject({ url: '/auth/home', headers: headers ?? (await logIn(app)).cookie })).body.includes(declining);
  const post = async (url: string, sent: ReturnType<typeof form>, headers: Record<string, string>) =>
    app.inject({ method: 'POST', url, ...sent, headers: { ...sent.headers, ...headers } });
  const account = (await services.users.adoptByUsername(ann.username)) ?? assert.fail();
  const pass = (milliseconds: number) => {
    time += milliseconds;
  };
  return { ...janua, [Symbol.asyncDispose]: () => janua[Symbol.asyncDispose](), isOffered, post, account, pass };
}

const stores: StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL', ownTable: true },
];

for (const store of stores)
  describe(`a passkey with ${JSON.stringify(store)}`, { skip: missing(store.users, store.sessions) }, () => {
    test('is offered on the home page until the user says no, for 30 days or for good', async () => {
      await using opened = await open(store);
      const { app, isOffered, post, pass } = opened;
      assert.ok(await isOffered());
      const { cookie } = await logIn(app);
      const later = await post(declining, form({ answer: 'later' }), cookie);
      assert.deepEqual([later.statusCode, later.headers.location], [303, '/auth/home']);
      assert.deepEqual([await isOffered(cookie), await isOffered()], [false, false]);
      pass(30 * day - 1);
      assert.equal(await isOffered(), false);
      pass(1);
      assert.ok(await isOffered());
      const { bearer } = await logIn(app);
      const wrong = await post(`/api${declining}`, json({ answer: 'no' }), bearer);
      assert.equal(wrong.statusCode, 422);
      const never = await post(`/api${declining}`, json({ answer: 'never' }), bearer);
      assert.deepEqual([never.statusCode, never.json()], [200, { detail: 'Declined' }]);
      pass(1000 * day);
      assert.equal(await isOffered(), false);
      const fresh = await logIn(app);
      const { passkey_offer } = (await app.inject({ url: '/api/account/export', headers: fresh.bearer })).json();
      assert.deepEqual(passkey_offer, { again_at: null });
    });
  });

const [store = assert.fail()] = stores;

test('a passkey is not offered to a user who has one, or who has signed in without a password', async () => {
  await using opened = await open(store);
  const { services, account, isOffered } = opened;
  const { cookie } = await logIn(opened.app);
  const owner = { userId: account.user.id, stamp: account.stamp ?? assert.fail() };
  const session = await services.sessions.start(owner, { methods: ['fed'] });
  assert.equal(await isOffered({ cookie: `session=${session.cookie}` }), false);
  assert.equal(await isOffered(cookie), true);
  const { passkeys } = services.factors;
  const binding = { purpose: 'enrol:1', cookie: 'a' };
  const sent = createAuthenticator({}).create(await passkeys.creationOptions(account.user, binding));
  const made = (await passkeys.verifyNew(sent, binding)) ?? assert.fail();
  await services.hold({ userId: account.user.id, stamp: owner.stamp }, (held) => passkeys.add(held, made));
  assert.equal(await isOffered(cookie), false);
});

for (const settings of [
  { SECOND_FACTOR: 'off' },
  { PUBLIC_URL: 'http://127.0.0.1:5000' },
] satisfies Partial<Settings>[])
  test(`a passkey is not offered with ${JSON.stringify(settings)}`, async () => {
    await using opened = await open(store, settings);
    assert.equal(await opened.isOffered(), false);
  });

test('the no goes with the account, and an export tells of it', async () => {
  await using opened = await open(store);
  const { app, account, post, services } = opened;
  const { cookie, bearer } = await logIn(app);
  const exported = async () =>
    (await app.inject({ url: '/api/account/export', headers: bearer })).json().passkey_offer as unknown;
  assert.equal(await exported(), undefined);
  await Promise.all(Array.from({ length: 10 }, () => post(declining, form({ answer: 'later' }), cookie)));
  assert.match(JSON.stringify(await exported()), /"again_at":"\d{4}-/);
  const kept = () => services.passkeyOffers.find(account.user);
  assert.ok(await kept());
  const removed = await post('/api/account/delete', json({ current_password: password }), bearer);
  assert.equal(removed.statusCode, 200, removed.body);
  assert.equal(await kept(), undefined);
});
