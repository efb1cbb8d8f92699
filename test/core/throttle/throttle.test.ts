import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Policy, remainingWait, stopSeconds, waitAfter } from '../../../src/core/throttle/backoff.ts';
import type { FailureStore } from '../../../src/core/throttle/store.ts';
import { type AttemptKey, createThrottle, type Limits, mostUsesWaiting } from '../../../src/core/throttle/throttle.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { takeTurnAtOnce } from '../passwords/in-turn.ts';
import { createClockedThrottle, retryAfter } from './clocked-throttle.ts';
import { createMemoryFailureStore } from './memory-store.ts';
import { policies } from './policies.ts';

const day = 24 * 60 * 60;

type Kind = 'own' | 'shared' | 'apart';

interface Attempt {
  readonly own: string;
  readonly shared: string;
  /** If given, the attempt counts by this key alone. */
  readonly apart?: string;
}

const keyOf = (kind: Kind, of: string, policy: Policy, onSuccess: AttemptKey<Kind>['onSuccess']) => ({
  kind,
  key: `${kind}:${of}`,
  policy,
  onSuccess,
});

function limitsOf({ own, shared, apart }: Attempt): Limits<Kind> {
  const ownKey = keyOf('own', own, policies.account, 'clear');
  const places = [
    { key: `shared:${shared}`, atOnce: 10 },
    { key: `own:${own}`, atOnce: 4 },
  ];
  const parties = places.map(({ key }) => key);
  if (apart === undefined)
    return { keys: [ownKey, keyOf('shared', shared, policies.address, 'take-back')], places, parties };
  return { keys: [keyOf('apart', apart, policies.unknownName, 'clear')], clears: [ownKey], places, parties };
}

const usual: Attempt = { own: 'a', shared: '1' };

const createTest = ({ store, waiting }: { store?: FailureStore; waiting?: number } = {}) =>
  createClockedThrottle({ limitsOf, usual, store, waiting });

const elsewhere = (index: number) => ({ shared: `elsewhere-${index}` });

/** Gives the policy with which a key was counted. */
function parse(key: string) {
  const policy = key.startsWith('shared:') ? policies.address : policies.account;
  return { policy, key };
}

const listed = async (t: ReturnType<typeof createTest>) => (await t.throttle.listPage(parse)).keys;

async function countsOf(t: ReturnType<typeof createTest>): Promise<Record<string, number>> {
  return Object.fromEntries((await listed(t)).map(({ key, failures }) => [key, failures]));
}

test('a failure up to a minute in the future causes the usual wait, and a later one causes none', () => {
  const now = Date.UTC(2026, 0, 1);
  for (const [kind, policy] of Object.entries<Policy>(policies)) {
    for (const failures of [policy.free, policy.free + 3, policy.free + 20]) {
      const wait = waitAfter(policy, failures);
      for (const [ahead, expected] of [
        [1, wait],
        [60_000, wait],
        [60_001, 0],
        [day * 1000, 0],
      ] as const) {
        const tally = { count: failures, lastAt: now + ahead };
        assert.equal(remainingWait(policy, tally, now), expected, `${kind}, ${failures} failures, ${ahead} ms ahead`);
      }
    }
  }
});

describe('the throttle', () => {
  test('a success clears a key or takes back its own attempt, as the key defines', async () => {
    const t = createTest();
    for (let index = 0; index < 3; index += 1) await t.fail();
    await t.fail({ apart: 'x' });
    assert.deepEqual(await countsOf(t), { 'own:a': 3, 'shared:1': 3, 'apart:x': 1 });
    await t.succeed();
    assert.deepEqual(await countsOf(t), { 'shared:1': 3, 'apart:x': 1 });
    await t.fail();
    await t.succeed({ apart: 'x' });
    assert.deepEqual(await countsOf(t), { 'shared:1': 4 });
  });

  test('a key that a success clears does not make the attempt wait', async () => {
    const t = createTest();
    for (let index = 0; index < 10; index += 1) await t.fail();
    assert.equal((await t.succeed()).passed, false);
    assert.equal((await t.succeed({ apart: 'x' })).passed, true);
    assert.equal((await t.succeed()).passed, true);
  });

  test('lists the known keys, and lifts the selected ones', async () => {
    const t = createTest();
    for (let index = 0; index < 600; index += 1) await t.fail({ own: `${index}`, ...elsewhere(index) });
    const own = await t.throttle.listPage((key) => (key.startsWith('own:') ? parse(key) : undefined));
    const once = { failures: 1, lastFailureAt: new Date(t.now()), stopped: false };
    const { keys } = own;
    assert.equal(keys.length, 600);
    assert.deepEqual(keys[599], { key: 'own:599', ...once });
    assert.equal(await t.throttle.lift((key) => key.startsWith('own:')), 600);
    assert.equal(await t.throttle.lift((key) => key === 'shared:elsewhere-1'), 1);
    assert.equal((await listed(t)).length, 599);
  });

  test('runs a limited number of attempts at once, and the others in order', async () => {
    const t = createTest();
    const started: number[] = [];
    const gates = Array.from({ length: 8 }, () => Promise.withResolvers<void>());
    const all = gates.map((gate, index) =>
      t.run(elsewhere(index), async () => {
        started.push(index);
        await gate.promise;
        return { succeeded: true };
      }),
    );
    await new Promise(setImmediate);
    assert.deepEqual(started, [0, 1, 2, 3]);
    gates[2]?.resolve();
    await all[2];
    await new Promise(setImmediate);
    assert.deepEqual(started, [0, 1, 2, 3, 4]);
    for (const gate of gates) gate.resolve();
    await Promise.all(all);
    assert.deepEqual(started, [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('refuses an attempt as unavailable if too many are waiting', async () => {
    const t = createTest({ waiting: 3 });
    const gate = Promise.withResolvers<void>();
    const start = (changes: Partial<Attempt>) =>
      t.run(changes, async () => {
        await gate.promise;
        return { succeeded: true };
      });
    const waiting = Array.from({ length: 7 }, (_, index) => start(elsewhere(index)));
    await new Promise(setImmediate);
    await assert.rejects(start(elsewhere(7)), { name: Unavailable.name, part: 'The work', retryAfterSeconds: 2 });
    const other = start({ own: 'b' });
    gate.resolve();
    const all = await Promise.all([...waiting, other]);
    assert.ok(all.every(({ passed }) => passed));
    assert.ok((await start({})).passed, 'all turns are free again');
  });

  test('does not count an attempt whose check throws, and frees its turn', async () => {
    const t = createTest();
    await t.fail();
    const before = await listed(t);
    for (let index = 0; index < 30; index += 1) {
      t.pass(1);
      const fault = new Unavailable('The database', 5);
      await assert.rejects(
        t.run({}, () => Promise.reject(fault)),
        fault,
      );
    }
    assert.deepEqual(await listed(t), before);
  });

  test('lets no attempt pass while the store is unavailable, reports the error of the check first, and frees turns', async () => {
    const store = createMemoryFailureStore();
    const gone = new Unavailable('The database', 5);
    let away = false;
    const t = createTest({
      store: {
        ...store,
        count: (keys, now) => (away ? Promise.reject(gone) : store.count(keys, now)),
        revise: (revisions) => (away ? Promise.reject(gone) : store.revise(revisions)),
      },
    });
    const checkAndLose = (outcome: () => Promise<{ succeeded: boolean }>) => {
      away = false;
      return t.run({}, () => {
        away = true;
        return outcome();
      });
    };
    for (let index = 0; index < 5; index += 1) {
      away = true;
      await assert.rejects(t.succeed(), gone);
    }
    assert.equal(t.checks(), 0);
    const fault = new Error('first');
    await assert.rejects(
      checkAndLose(() => Promise.reject(fault)),
      fault,
    );
    await assert.rejects(
      checkAndLose(async () => ({ succeeded: true })),
      gone,
    );
    away = false;
    assert.equal((await t.succeed()).passed, true);
  });

  test('lets an attempt pass after a clock was a day ahead, counts it as usual, and keeps a stop', async () => {
    const t = createTest();
    await t.failPatiently(100, () => ({ apart: 'x' }));
    await t.failPatiently(13);
    t.pass(-day);
    assert.equal(retryAfter(await t.fail({ apart: 'x' })), stopSeconds);
    assert.equal((await listed(t)).filter(({ waitsUntil }) => waitsUntil !== undefined).length, 0);
    assert.equal(retryAfter(await t.fail()), 0);
    assert.equal(retryAfter(await t.fail()), 160);
  });

  test('an address is forgiven failures again after its clock was a day ahead', async () => {
    const t = createTest();
    for (let index = 0; index < 15; index += 1) await t.fail({ own: `${index}`, shared: '1' });
    t.pass(-day);
    await t.fail({ own: 'b' });
    t.pass(6 * 60);
    await t.fail({ own: 'c' });
    assert.equal((await countsOf(t))['shared:1'], 15);
  });

  test('does not stop a key if the hundredth attempt succeeds', async () => {
    const t = createTest();
    await t.failPatiently(99, elsewhere);
    t.pass(900);
    const last = await t.succeed(elsewhere(99));
    assert.deepEqual([last.passed, last.passed && last.stops], [true, false]);
    assert.equal((await t.fail(elsewhere(1))).passed, true);
  });

  test('keeps a stop that was reached during a successful attempt', async () => {
    const t = createTest();
    await t.failPatiently(98, elsewhere);
    t.pass(900);
    await t.run(elsewhere(100), async () => {
      t.pass(900);
      await t.fail(elsewhere(101));
      t.pass(900);
      return { succeeded: true };
    });
    // One of the two was a success, so that the stop is still one failure away.
    assert.equal((await t.fail(elsewhere(102))).passed, true);
    const again = createTest();
    await again.failPatiently(99, elsewhere);
    await again.run({ apart: 'x' }, async () => {
      again.pass(900);
      await again.fail(elsewhere(101));
      return { succeeded: true };
    });
    assert.equal(retryAfter(await again.fail(elsewhere(102))), stopSeconds);
  });
});

test('a lift of known keys does not read all of them', async () => {
  const store = createMemoryFailureStore();
  const throttle = createThrottle({
    store: { ...store, listPage: () => assert.fail('it reads all') },
    takeTurn: takeTurnAtOnce,
  });
  const policy = { free: 5, firstWaitSeconds: 1, longestWaitSeconds: 1 };
  await throttle.take(['pair:a:1', 'pair:a:2', 'pair:b:1'].map((key) => ({ key, policy })));
  assert.equal(await throttle.lift((key) => key !== 'pair:a:2', [{ start: 'pair:a:' }]), 1);
});

test('uses of one key reach the store one at a time, uses of other keys beside them, and few wait', async () => {
  const memory = createMemoryFailureStore();
  const [began, ends] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const counted: string[] = [];
  const store: FailureStore = {
    ...memory,
    async count(keys, now) {
      const [{ key } = assert.fail()] = keys;
      counted.push(key);
      began.resolve();
      if (key === 'network') await ends.promise;
      return memory.count(keys, now);
    },
  };
  const { take } = createThrottle({ store, takeTurn: takeTurnAtOnce });
  const use = (key: string) => take([{ key, policy: policies.address }]);
  const flood = Promise.allSettled(Array.from({ length: mostUsesWaiting + 4 }, () => use('network')));
  await began.promise;
  assert.equal(await use('another network'), true);
  assert.deepEqual(counted, ['network', 'another network']);
  ends.resolve();
  const refused = (await flood).flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  assert.equal(refused.length, 3);
  for (const reason of refused) assert.ok(reason instanceof Unavailable);
});
