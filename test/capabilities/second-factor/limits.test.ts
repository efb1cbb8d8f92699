import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liftFailures } from '../../../src/core/access/login-limits.ts';
import { Refusal } from '../../../src/core/access/refusal.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import { ann, caller, startJanua } from '../../janua.ts';
import { codeOf } from './authenticator-app.ts';

const minute = 60_000;

test('wrong codes of any kind are limited by pair, account and address, and 100 of them stop the account until an operator lifts that', async () => {
  let time = Date.now();
  await using janua = await startJanua({ settings: { THROTTLE: 'on' }, overrides: { now: () => time } });
  const { factors, users, hold, administration, throttle, audit, auditTrail } = janua.services;
  const account = await users.findByUsername(ann.username);
  assert.ok(account);
  const owned = account;
  const owner = account.user;
  const { secret } = await factors.totp.begin(owner, ann.username);
  assert.ok(await hold(provedBy(account), (held) => factors.totp.enable(held, codeOf(secret, time))));
  let wrong = 0;
  /** Sends a wrong code of one kind or the other, or the right one. */
  async function send(address: string, isRight = false): Promise<boolean | 'throttled'> {
    const code = isRight ? codeOf(secret, time) : '000000';
    const method = isRight || wrong++ % 2 === 0 ? 'totp' : 'recovery_code';
    const sent = factors.checkFactor(owned, { method, code, headers: {} }, 'test', { ...caller, address });
    const outcome = await sent.catch((error: Error) => error);
    if (!(outcome instanceof Error)) return outcome.succeeded;
    assert.match(outcome.message, /too-many-codes/);
    assert.ok(outcome instanceof Refusal && Number(outcome.retryAfterSeconds) > 0, 'for the header Retry-After');
    return 'throttled';
  }

  for (let count = 0; count < 5; count += 1) assert.equal(await send('192.0.2.1'), false);
  assert.equal(await send('192.0.2.1'), 'throttled', 'the pair');
  assert.equal(await send('192.0.2.2'), false);
  for (let count = 0; count < 4; count += 1) await send('192.0.2.3');
  assert.equal(await send('192.0.2.4'), 'throttled', 'the account');
  time += minute;
  assert.equal(await send('192.0.2.5', true), true);
  assert.equal(await send('192.0.2.4'), false, 'a right code clears the failures');

  for (let sent = 1; sent < 100; time += 20 * minute) if ((await send(`198.51.100.${sent}`)) === false) sent += 1;
  time += 365 * 24 * 60 * minute;
  assert.equal(await send('192.0.2.6', true), 'throttled', 'the stop');
  await administration.setPassword(ann.username, 'another password of mine');
  assert.equal(await send('192.0.2.6', true), 'throttled', 'a new password does not lift it');
  const lifted = { userId: account.user.id, nameDigest: audit.digestName(ann.username) };
  await liftFailures(throttle, lifted);
  assert.equal(await send('192.0.2.6', true), 'throttled');
  await liftFailures(throttle, { ...lifted, codes: true });
  assert.equal(await send('192.0.2.6', true), true);
  const stops = auditTrail.find({ order: 'oldest-first', kind: 'second-factor-stopped' });
  assert.deepEqual(await Array.fromAsync(stops, (event) => 'kind' in event && event.userId), [owner.id]);
  const waits = auditTrail.find({ order: 'oldest-first', kind: 'second-factor-throttled', limit: 1 });
  assert.deepEqual(await Array.fromAsync(waits, (event) => 'kind' in event && event.userId), [owner.id]);
});
