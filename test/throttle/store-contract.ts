import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Policy, withoutFailure } from '../../src/throttle/policy.ts';
import type { CountedKey, FailureRecord, FailureStore, PolicedKey, Revision } from '../../src/throttle/store.ts';
import { policies } from './policies.ts';

export interface OpenStore extends AsyncDisposable {
  readonly store: FailureStore;
  /** Connects once more to what is kept, as another process does; undefined where nobody else can. */
  reopen?(): Promise<OpenStore>;
}

/** Real times: a store may forget what has expired by its own clock. */
const start = Date.now();
const minute = 60_000;
const month = 30 * 24 * 60 * minute;

const named = (key: string, policy: Policy = policies.name): PolicedKey => ({ key, policy });

async function recordsOf(store: FailureStore): Promise<FailureRecord[]> {
  const records = await Array.fromAsync(store.list());
  return records.toSorted((one, other) => (one.key < other.key ? -1 : 1));
}

async function countsOf(store: FailureStore): Promise<Record<string, number>> {
  return Object.fromEntries((await recordsOf(store)).map(({ key, count }) => [key, count]));
}

async function countAll(store: FailureStore, keys: readonly PolicedKey[], now = start): Promise<readonly CountedKey[]> {
  const counting = await store.count(keys, now);
  assert.ok(counting.counted, `refused: ${JSON.stringify(counting.keys)}`);
  return counting.keys;
}

/** Counts so many failures of one key, each as soon as it may. */
async function fail(store: FailureStore, key: PolicedKey, times: number, now = start): Promise<void> {
  for (let index = 0; index < times; index += 1) await countAll(store, [key], now + index * 20 * minute);
}

const giveBack = (counted: CountedKey): Revision => ({ ...counted, revise: (tally) => withoutFailure(counted, tally) });

const passedOf = (countings: readonly { readonly counted: boolean }[]) =>
  countings.filter(({ counted }) => counted).length;

/**
 * What every store of failures must do.
 * @param open makes an empty one
 * @param forgetsByItself whether what has expired goes without being removed
 */
export function testFailureStore(
  name: string,
  open: () => Promise<OpenStore>,
  { forgetsByItself = false, skip = false as string | false } = {},
): void {
  describe(`${name} as a store of failures`, { skip }, () => {
    test('counts each key, and says what was there before', async () => {
      await using opened = await open();
      const { store } = opened;
      const keys = [named('account:1:f', policies.account), named('name:n'), named('address:2001:db8::/64')];
      const first = await store.count(keys, start);
      assert.deepEqual(first, {
        counted: true,
        keys: keys.map((key) => ({ ...key, before: undefined, after: { count: 1, lastAt: start } })),
      });
      const second = await countAll(store, keys.slice(1), start + 5);
      assert.deepEqual(second[0], {
        ...keys[1],
        before: { count: 1, lastAt: start },
        after: { count: 2, lastAt: start + 5 },
      });
      assert.deepEqual(await recordsOf(store), [
        { key: 'account:1:f', count: 1, lastAt: start, expiresAt: undefined },
        { key: 'address:2001:db8::/64', count: 2, lastAt: start + 5, expiresAt: start + 5 + month },
        { key: 'name:n', count: 2, lastAt: start + 5, expiresAt: start + 5 + month },
      ]);
    });

    test('keys are told apart by every letter', async () => {
      await using opened = await open();
      const keys = ['name:a', 'name:A', 'name:ä', 'name:%', 'name:a:', "name:' or 1=1 --"].map((key) => named(key));
      await countAll(opened.store, keys);
      assert.deepEqual(Object.values(await countsOf(opened.store)), [1, 1, 1, 1, 1, 1]);
    });

    test('a key has room for 400 characters', async () => {
      await using opened = await open();
      const key = `account:${'\u{1F600}'.repeat(340)}:${'f'.repeat(43)}`;
      await countAll(opened.store, [named(key)]);
      assert.deepEqual(await countsOf(opened.store), { [key]: 1 });
    });

    test('one that has to wait is told so, and nothing is counted of the others either', async () => {
      await using opened = await open();
      const { store } = opened;
      const [waiting, other] = [named('name:n'), named('pair:n:1', policies.pair)];
      await fail(store, waiting, 10);
      const last = start + 9 * 20 * minute;
      const refused = await store.count([other, waiting], last + 9_999);
      assert.deepEqual(refused, {
        counted: false,
        keys: [
          { ...other, before: undefined },
          { ...waiting, before: { count: 10, lastAt: last } },
        ],
      });
      assert.deepEqual(await countsOf(store), { 'name:n': 10 });
      await countAll(store, [other, waiting], last + 10_000);
      assert.deepEqual(await countsOf(store), { 'name:n': 11, 'pair:n:1': 1 });
    });

    // Shows: S48 V15.4.2 VM-38
    test('of a hundred at once, as many pass as are free, by every policy', async () => {
      await using opened = await open();
      const { store } = opened;
      for (const [kind, policy] of Object.entries(policies)) {
        const key = named(`name:${kind}`, policy);
        const countings = await Promise.all(Array.from({ length: 100 }, () => store.count([key], start)));
        assert.equal(passedOf(countings), policy.free, kind);
      }
      const expected = Object.entries(policies).map(([kind, { free }]) => [`name:${kind}`, free]);
      assert.deepEqual(await countsOf(store), Object.fromEntries(expected));
    });

    test('of a hundred at once with several keys, as many pass as the strictest lets, and no more are counted', async () => {
      await using opened = await open();
      const { store } = opened;
      const keys = [
        named('account:1:f', policies.account),
        named('name:n'),
        named('address:1', policies.address),
        named('pair:n:1', policies.pair),
      ];
      const countings = await Promise.all(Array.from({ length: 100 }, () => store.count(keys, start)));
      assert.equal(passedOf(countings), 8);
      assert.deepEqual(Object.values(await countsOf(store)), [8, 8, 8, 8]);
    });

    test('many at once with keys that overlap never count more than passed, and never hang', async () => {
      await using opened = await open();
      const { store } = opened;
      const sets = Array.from({ length: 100 }, (_, index) => [
        named(`account:${index % 3}:f`, policies.account),
        named(`address:${index % 4}`, policies.address),
        named(`pair:${index % 3}:${index % 4}`, policies.pair),
      ]);
      const countings = await Promise.all(sets.map((keys) => store.count(keys, start)));
      const expected: Record<string, number> = {};
      for (const { counted, keys } of countings)
        for (const { key } of counted ? keys : []) expected[key] = (expected[key] ?? 0) + 1;
      const counts = await countsOf(store);
      assert.deepEqual(counts, expected);
      assert.ok(Object.entries(counts).every(([key, count]) => count <= (key.startsWith('address') ? 20 : 10)));
      assert.ok(passedOf(countings) >= 20, `${passedOf(countings)} passed`);
    });

    test('given back, a failure leaves what was there before', async () => {
      await using opened = await open();
      const { store } = opened;
      const keys = [named('name:n'), named('address:1', policies.address)];
      await fail(store, keys[1] as PolicedKey, 3, start - minute);
      const before = await recordsOf(store);
      const counted = await countAll(store, keys, start + 2 * 20 * minute);
      await store.revise(counted.map(giveBack));
      assert.deepEqual(await recordsOf(store), before);
    });

    test('given back at once, as many are left as were not', async () => {
      await using opened = await open();
      const { store } = opened;
      const key = named('address:1', policies.address);
      const counted = await Promise.all(
        Array.from({ length: 15 }, (_, index) => countAll(store, [key], start + index)),
      );
      await Promise.all(counted.slice(0, 12).map(([one]) => store.revise([giveBack(one as CountedKey)])));
      assert.deepEqual(await countsOf(store), { 'address:1': 3 });
      await Promise.all(counted.slice(12).map(([one]) => store.revise([giveBack(one as CountedKey)])));
      assert.deepEqual(await countsOf(store), {});
    });

    test('a revision never makes a key, and may keep or forget one', async () => {
      await using opened = await open();
      const { store } = opened;
      await countAll(store, [named('name:kept'), named('name:forgotten')]);
      await store.revise([
        { ...named('name:kept'), revise: (tally) => tally },
        { ...named('name:forgotten'), revise: () => undefined },
        { ...named('name:missing'), revise: () => assert.fail('there is nothing to revise') },
      ]);
      await store.revise([]);
      assert.deepEqual(await recordsOf(store), [
        { key: 'name:kept', count: 1, lastAt: start, expiresAt: start + month },
      ]);
    });

    test('forgetting counts what was there', async () => {
      await using opened = await open();
      const { store } = opened;
      await countAll(
        store,
        ['name:1', 'name:2', 'name:3'].map((key) => named(key)),
      );
      assert.equal(await store.forget(['name:1', 'name:2', 'name:missing']), 2);
      assert.equal(await store.forget(['name:1']), 0);
      assert.equal(await store.forget([]), 0);
      assert.deepEqual(await countsOf(store), { 'name:3': 1 });
    });

    test('what has expired counts no longer, and is gone, by itself or so many at once', async () => {
      await using opened = await open();
      const { store } = opened;
      const old = start - month - 10_000;
      const names = ['name:1', 'name:2', 'name:3'];
      for (const key of names) await countAll(store, [named(key)], old);
      await countAll(store, [named('account:1:f', policies.account)], old);
      const [again] = await countAll(store, [named('name:1')]);
      assert.equal(again?.before, undefined);
      if (!forgetsByItself) {
        assert.equal(await store.removeExpired(start, 1), 1);
        assert.equal(await store.removeExpired(start, 2), 1);
      }
      assert.equal(await store.removeExpired(start, 2), 0);
      assert.deepEqual(await countsOf(store), { 'account:1:f': 1, 'name:1': 1 });
    });

    test('what is stopped never expires, unless it is answered as what has no stop', async () => {
      await using opened = await open();
      const { store } = opened;
      const key = named('name:n', { ...policies.unknownName, stopsAt: 3 });
      await fail(store, key, 3);
      assert.deepEqual(
        (await recordsOf(store)).map(({ expiresAt }) => expiresAt),
        [undefined],
      );
      const later = start + 24 * 60 * minute;
      assert.equal((await store.count([key], later)).counted, false);
      await countAll(store, [named('name:n')], later);
      assert.deepEqual(await recordsOf(store), [{ key: 'name:n', count: 4, lastAt: later, expiresAt: later + month }]);
    });

    test('lists more than one batch, each key once', async () => {
      await using opened = await open();
      const { store } = opened;
      const keys = Array.from({ length: 1203 }, (_, index) => named(`name:${index}`));
      for (let index = 0; index < keys.length; index += 100) await countAll(store, keys.slice(index, index + 100));
      const listed = (await recordsOf(store)).map(({ key }) => key);
      assert.deepEqual(listed, keys.map(({ key }) => key).toSorted());
    });

    // Shows: S48 S79
    test('is shared by all who have opened it, and still there for those who come later', async (t) => {
      await using opened = await open();
      if (opened.reopen === undefined) return t.skip('it is in this process');
      {
        await using other = await opened.reopen();
        const stores = [opened.store, other.store];
        const countings = await Promise.all(
          Array.from({ length: 60 }, (_, index) => stores[index % 2]?.count([named('name:n')], start)),
        );
        assert.equal(passedOf(countings.map((counting) => counting ?? assert.fail())), 10);
      }
      await using later = await opened.reopen();
      assert.deepEqual(await countsOf(later.store), { 'name:n': 10 });
      assert.equal((await later.store.count([named('name:n')], start)).counted, false);
    });
  });
}
