import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liftFailures } from '../../../src/core/access/login-limits.ts';
import { Refusal } from '../../../src/core/access/refusal.ts';
import { ann, caller, startJanua } from '../../janua.ts';
import { addApp, codeOf } from './authenticator-app.ts';

const minute = 60_000;

test('wrong codes of any kind are limited by pair, account and address, and 100 of them stop the account until an operator lifts that', async () => {
  await using janua = await startJanua({ settings: { THROTTLE: 'on' }, time: Date.now() });
  const { factors, administration, throttle, audit } = janua.services;
  const account = await janua.account();
  const secret = await addApp(janua, account);
  let wrong = 0;
  /** Sends a wrong code of one kind or the other, or the right one. */
  async function send(address: string, isRight = false): Promise<boolean | 'throttled'> {
    const code = isRight ? codeOf(secret, janua.now()) : '000000';
    const method = isRight || wrong++ % 2 === 0 ? 'totp' : 'recovery_code';
    const sent = factors.checkFactor(account, { method, code, headers: {} }, 'test', { ...caller, address });
    const outcome = await sent.catch((error: Error) => error);
    if (!(outcome instanceof Error)) return outcome.succeeded;
    assert.ok(outcome instanceof Refusal && outcome.answer.name === 'too-many-codes');
    assert.ok((outcome.retryAfterSeconds ?? 0) > 0, 'the client is told how long to wait');
    return 'throttled';
  }

  for (let count = 0; count < 5; count += 1) assert.equal(await send('192.0.2.1'), false);
  assert.equal(await send('192.0.2.1'), 'throttled', 'the pair');
  assert.equal(await send('192.0.2.2'), false);
  for (let count = 0; count < 4; count += 1) await send('192.0.2.3');
  assert.equal(await send('192.0.2.4'), 'throttled', 'the account');
  janua.pass(minute);
  assert.equal(await send('192.0.2.5', true), true);
  assert.equal(await send('192.0.2.4'), false, 'a right code clears the failures');

  for (let sent = 1; sent < 100; janua.pass(20 * minute)) if ((await send(`198.51.100.${sent}`)) === false) sent += 1;
  janua.pass(365 * 24 * 60 * minute);
  assert.equal(await send('192.0.2.6', true), 'throttled', 'the stop');
  await administration.setPassword(ann.username, 'another password of mine');
  assert.equal(await send('192.0.2.6', true), 'throttled', 'a new password does not lift it');
  const lifted = { userId: account.user.id, nameDigest: audit.digestName(ann.username) };
  await liftFailures(throttle, lifted);
  assert.equal(await send('192.0.2.6', true), 'throttled');
  await liftFailures(throttle, { ...lifted, codes: true });
  assert.equal(await send('192.0.2.6', true), true);
  for (const [kind, limit] of [
    ['second-factor-stopped', undefined],
    ['second-factor-throttled', 1],
  ] as const)
    assert.deepEqual(
      (await janua.events({ kind, limit })).map(({ userId }) => userId),
      [account.user.id],
    );
});
