import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, mock, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { changeBounds } from '../../../src/core/audit/flood-bound.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { signInAs, signInWith } from './administrator.ts';

const choices: readonly StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'SQLite', sessions: 'Redis' },
];

for (const stores of choices)
  describe(`who has to wait, with failures in ${stores.sessions}`, { skip: missing(stores.sessions) }, () => {
    async function open() {
      const janua = await startJanua({ stores, settings: { THROTTLE: 'on' } });
      const headers = await signInWith(janua, 'sessions:write');
      const tryLogin = async (username: string, typed: string, remoteAddress = '192.0.2.1') =>
        (await janua.post('/api/login', { username, password: typed }, {}, remoteAddress)).statusCode;
      async function failUntilItWaits(username: string): Promise<void> {
        while ((await tryLogin(username, 'wrong')) !== 429);
      }
      const list = async () => (await janua.get('/api/admin/throttle', headers)).json();
      const lift = (fields: object, by = headers) => janua.post('/api/admin/throttle/lift', fields, by);
      const isOffered = async (field: string, by = headers) =>
        (await janua.get('/admin/throttle', by)).body.includes(`<button name="${field}"`);
      const { id } = (await janua.account()).user;
      return { ...janua, headers, tryLogin, failUntilItWaits, list, lift, isOffered, id };
    }

    test('a user who waits is listed until when, and let in by a lift, which is recorded', async () => {
      await using janua = await open();
      assert.deepEqual(await janua.list(), { waits: [], next_cursor: null });
      await janua.failUntilItWaits(ann.username);
      const { waits, next_cursor } = await janua.list();
      assert.equal(next_cursor, null);
      const [wait] = waits;
      const { last_failure_at: last, waits_until: until, ...rest } = wait;
      assert.deepEqual(rest, {
        kind: 'pair',
        username: ann.username,
        user_id: janua.id,
        name_digest: janua.services.audit.digestName(ann.username),
        address: '192.0.2.1',
        failures: 8,
      });
      assert.equal(Date.parse(until) - Date.parse(last), 10_000);
      assert.equal(await janua.tryLogin(ann.username, password), 429);
      const page = await janua.get('/admin/throttle', janua.headers);
      assert.match(page.body, new RegExp(`<button name="user_id" value="${janua.id}"`));
      assert.equal((await janua.lift({ user_id: janua.id })).json().count, 3);
      assert.deepEqual((await janua.list()).waits, []);
      assert.equal(await janua.tryLogin(ann.username, password), 200);
      const [event] = await janua.events({ kind: 'throttle-lifted' });
      assert.ok(event?.actorId !== undefined);
      assert.deepEqual([event.userId, event.caller.route], [janua.id, 'POST /api/admin/throttle/lift']);
    });

    test('a name that no user has, and an address, are lifted too', async () => {
      await using janua = await open();
      await janua.failUntilItWaits('nobody@example.com');
      const [wait] = (await janua.list()).waits;
      assert.deepEqual([wait.kind, wait.username, wait.user_id], ['pair', null, null]);
      const administrator = await signInAs(janua, [admins]);
      assert.ok(await janua.isOffered('name_digest', administrator));
      assert.equal((await janua.lift({ name_digest: wait.name_digest }, administrator)).json().count, 2);
      assert.equal((await janua.lift({ address: '::ffff:192.0.2.1' })).json().count, 1);
      assert.equal((await janua.lift({ address: '192.0.2.1' })).json().count, 0);
      for (const fields of [{}, { address: '' }, { address: 'all' }, { user_id: '' }, { address: '192.0.2.0/24' }])
        assert.equal((await janua.lift(fields)).statusCode, 422, JSON.stringify(fields));
      for (const cursor of ['x', Buffer.from('["x\\u0000"]').toString('base64url')])
        assert.equal((await janua.get(`/api/admin/throttle?cursor=${cursor}`, janua.headers)).statusCode, 400);
    });

    test('lifts of an administrator take turns, unless the client has left, and count although they find nothing', async () => {
      await using janua = await open();
      const gate = Promise.withResolvers<number>();
      const lift = mock.method(janua.services.throttle, 'lift', () => gate.promise);
      const origin = await janua.listen();
      let left = 0;
      janua.app.server.on('connection', (socket: Socket) => socket.once('close', () => (left += 1)));
      const body = new URLSearchParams({ address: '192.0.2.1' });
      const leaving = new AbortController();
      const ask = () =>
        fetch(`${origin}/api/admin/throttle/lift`, {
          ...{ method: 'POST', headers: janua.headers, body, signal: leaving.signal },
        }).catch(() => {});
      const asked = Array.from({ length: 5 }, ask);
      while (lift.mock.callCount() === 0) await setTimeout(5);
      await setTimeout(100);
      leaving.abort();
      await Promise.all(asked);
      while (left < 5) await setTimeout(5);
      gate.resolve(0);
      assert.equal((await janua.lift({ address: '192.0.2.1' })).json().count, 0);
      assert.equal(lift.mock.callCount(), 2, 'the first, and the last');
      lift.mock.restore();
      const counting = mock.method(janua.services.audit, 'countAct');
      assert.equal((await janua.lift({ address: '192.0.2.1' })).json().count, 0);
      const event = counting.mock.calls[0]?.arguments[0] ?? assert.fail('it is not counted');
      for (let count = 3; count < changeBounds.administrator.burst; count += 1) janua.services.audit.countAct(event);
      assert.equal((await janua.lift({ address: '192.0.2.1' })).statusCode, 429);
      assert.deepEqual(await janua.events({ kind: 'throttle-lifted' }), []);
    });

    test('the page offers a helper no wait of a user who may do more, and its digest lifts none', async () => {
      await using janua = await open();
      await janua.services.administration.changeGroups(ann.username, { add: [admins] });
      for (const name of [ann.username, 'nobody@example.com']) await janua.failUntilItWaits(name);
      const { waits } = await janua.list();
      const digests: string[] = waits.map((wait: { readonly name_digest: string }) => wait.name_digest);
      assert.equal(new Set(digests).size, 2);
      for (const fields of [{ user_id: janua.id }, ...digests.map((name_digest) => ({ name_digest }))])
        assert.equal((await janua.lift(fields)).statusCode, 403, JSON.stringify(fields));
      assert.deepEqual((await janua.list()).waits, waits);
      for (const field of ['user_id', 'name_digest']) assert.ok(!(await janua.isOffered(field)), field);
    });

    test('a former password has no waits, and no key shows a browser or a fingerprint', async () => {
      await using janua = await open();
      await janua.failUntilItWaits(ann.username);
      const { body } = await janua.get('/api/admin/throttle', janua.headers);
      assert.deepEqual(Object.keys(JSON.parse(body).waits[0]), [
        'kind',
        'username',
        'user_id',
        'name_digest',
        'address',
        'failures',
        'last_failure_at',
        'waits_until',
      ]);
      await janua.services.administration.setPassword(ann.username, 'a few words with spaces');
      assert.deepEqual((await janua.list()).waits, []);
    });
  });
