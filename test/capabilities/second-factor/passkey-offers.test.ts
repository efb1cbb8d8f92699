import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Settings } from '../../../src/ground/config/settings.ts';
import type { SentHeaders } from '../../client.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { addPasskey } from './add-passkey.ts';
import { createAuthenticator } from './authenticator.ts';

const day = 24 * 60 * 60 * 1000;
const declining = '/account/security/passkeys/decline';

async function open(stores: StoreChoice, settings: Partial<Settings> = {}) {
  const janua = await startJanua({ stores, settings, time: Date.now() });
  const isOffered = async (headers?: SentHeaders) =>
    (await janua.get('/auth/home', headers ?? (await janua.logIn()).cookie)).body.includes(declining);
  const owner = (await janua.services.users.adoptByUsername(ann.username)) ?? assert.fail();
  return { ...janua, isOffered, owner };
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
      const { isOffered, post, pass, logIn } = opened;
      assert.ok(await isOffered());
      const { cookie } = await logIn();
      const later = await post(declining, { answer: 'later' }, cookie);
      assert.deepEqual([later.statusCode, later.headers.location], [303, '/auth/home']);
      assert.deepEqual([await isOffered(cookie), await isOffered()], [false, false]);
      pass(30 * day - 1);
      assert.equal(await isOffered(), false);
      pass(1);
      assert.ok(await isOffered());
      const { bearer } = await logIn();
      const wrong = await post(`/api${declining}`, { answer: 'no' }, bearer);
      assert.equal(wrong.statusCode, 422);
      const never = await post(`/api${declining}`, { answer: 'never' }, bearer);
      assert.deepEqual([never.statusCode, never.json()], [200, { detail: 'Declined' }]);
      pass(1000 * day);
      assert.equal(await isOffered(), false);
      const fresh = await logIn();
      const { passkey_offer } = (await opened.get('/api/account/export', fresh.bearer)).json();
      assert.deepEqual(passkey_offer, { again_at: null });
    });
  });

const [store = assert.fail()] = stores;

test('a passkey is not offered to a user who has one, or who has signed in without a password', async () => {
  await using opened = await open(store);
  const { services, owner: account, isOffered } = opened;
  const { cookie } = await opened.logIn();
  const owner = { userId: account.user.id, stamp: account.stamp ?? assert.fail() };
  const session = await services.sessions.start(owner, { methods: ['fed'] });
  assert.equal(await isOffered({ cookie: `session=${session.cookie}` }), false);
  assert.equal(await isOffered(cookie), true);
  await addPasskey(services, account, createAuthenticator());
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
  const { owner, post, services } = opened;
  const { cookie, bearer } = await opened.logIn();
  const exported = async () => (await opened.get('/api/account/export', bearer)).json().passkey_offer as unknown;
  assert.equal(await exported(), undefined);
  await Promise.all(Array.from({ length: 10 }, () => post(declining, { answer: 'later' }, cookie)));
  assert.match(JSON.stringify(await exported()), /"again_at":"\d{4}-/);
  const kept = () => services.passkeyOffers.find(owner.user);
  assert.ok(await kept());
  const removed = await post('/api/account/delete', { current_password: password }, bearer);
  assert.equal(removed.statusCode, 200, removed.body);
  assert.equal(await kept(), undefined);
});
