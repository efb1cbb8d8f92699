import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readEvent as readBy } from '../../../src/core/audit/event.ts';
import { events } from '../../../src/site.ts';
import { caller, plain } from './events.ts';

const event = { kind: 'login-failed', caller } as const;

const readEvent = (value: unknown) => readBy(value, events);

test('unknown fields of an event are dropped', () => {
  const more = { password: 'canary', cookie: 'canary', at: 'canary', id: 'canary' };
  const trace = { ...caller.trace, ...more, cookie: 'one', headers: { cookie: 'canary' } };
  const key = { kind: 'account', failures: 1, waitSeconds: 0, stopped: false, ...more };
  const keys = [key, 'canary', null];
  const read = readEvent({ ...more, ...event, throttle: keys, caller: { ...more, ...caller, trace } });
  assert.ok(read);
  assert.doesNotMatch(JSON.stringify(read), /canary/);
  assert.deepEqual(plain(read.caller), plain(caller));
});

test('a value without a kind or a route is not an event', () => {
  const values: unknown[] = [undefined, null, 1, 'text', [], {}, { kind: 'login-failed' }, { caller }];
  for (const kind of ['unknown', 'toString', '__proto__', 1]) values.push({ kind, caller });
  for (const wrong of [null, {}, { route: 1 }]) values.push({ kind: 'login-failed', caller: wrong });
  for (const value of values) assert.equal(readEvent(value), undefined, JSON.stringify(value));
});

test('a count is rounded up, and an invalid number is left out', () => {
  const read = (count: unknown) => readEvent({ ...event, count })?.count;
  assert.deepEqual([0, 1.2, -1, Number.NaN, Number.POSITIVE_INFINITY, '1'].map(read), [
    0,
    2,
    undefined,
    undefined,
    Number.MAX_SAFE_INTEGER,
    undefined,
  ]);
});

test('only the first ten entries of a long list are kept', () => {
  const keys = Array.from({ length: 20 }, (_, failures) => ({
    kind: 'name',
    failures,
    waitSeconds: 0,
    stopped: false,
  }));
  const trace = { ...caller.trace, expectedOrigins: keys.map(({ failures }) => `https://${failures}`) };
  const read = readEvent({ ...event, throttle: keys, caller: { ...caller, trace } });
  assert.deepEqual(plain(read?.throttle), keys.slice(0, 10));
  assert.deepEqual(read?.caller.trace?.expectedOrigins, trace.expectedOrigins.slice(0, 10));
});

test('every text is short and printable, whatever the input', () => {
  const odd = fc.constantFrom(
    '\0',
    '\u001B',
    '\u0085',
    '\u200B',
    '\u202E',
    '\u2028',
    '\u2029',
    '\uFEFF',
    '\uD800',
    '😀',
    'a',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 500 }),
    fc.string({ unit: odd, minLength: 180, maxLength: 300 }),
  );
  const kind = fc.constantFrom(...Object.keys(events));
  const texts = (...names: string[]) => Object.fromEntries(names.map((name) => [name, text]));
  const trace = fc.record({
    ...texts('peer', 'forwardedFor', 'origin', 'fetchSite', 'addressFrom'),
    expectedOrigins: fc.array(text),
  });
  const from = fc.record({ ...texts('requestId', 'address', 'userAgent', 'route', 'operator', 'format'), trace });
  const any = fc.record({ kind, caller: from, ...texts('reason', 'userId', 'nameDigest', 'sessionId') });
  fc.assert(
    fc.property(any, (value) => {
      const read = readEvent(value);
      assert.ok(read);
      const json = JSON.stringify(read);
      assert.doesNotMatch(json, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\\u/u);
      assert.ok(json.length < 10_000);
      assert.ok((read.caller.userAgent ?? '').length <= 200);
      assert.deepEqual(readEvent(JSON.parse(json)), read);
    }),
  );
});
