import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Policy, withoutFailure } from '../../../src/core/throttle/backoff.ts';
import type {
  CountedKey,
  FailureRecord,
  FailureStore,
  KeyRange,
  PolicedKey,
  Revision,
} from '../../../src/core/throttle/store.ts';
import { policies } from './policies.ts';

export interface OpenStore extends AsyncDisposable {
  readonly store: FailureStore;
  /** Removes what has expired before `time`, and gives how many there were. Undefined if the store does it by itself. */
  clean?(time: number): Promise<number>;
  /** Opens another connection to the same data, as another process would. Undefined if that is impossible. */
  reopen?(): Promise<OpenStore>;
}

/** Real times, because a store may remove expired records by its own clock. */
const start = Date.now();
const minute = 60_000;
const month = 30 * 24 * 60 * minute;

const named = (key: string, policy: Policy = policies.name): PolicedKey => ({ key, policy });

/** All records, page by page. A scan of Redis may give a key twice. */
export async function recordsOf(store: FailureStore): Promise<FailureRecord[]> {
  const found = new Map<string, FailureRecord>();
  let from: string | undefined;
  do {
    const { records, next } = await store.listPage(from);
    for (const record of records) found.set(record.key, record);
    from = next;
  } while (from !== undefined);
  return [...found.values()].toSorted((one, other) => (one.key < other.key ? -1 : 1));
}

async function countsOf(store: FailureStore): Promise<Record<string, number>> {
  return Object.fromEntries((await recordsOf(store)).map(({ key, count }) => [key, count]));
}

async function countAll(store: FailureStore, keys: readonly PolicedKey[], now = start): Promise<readonly CountedKey[]> {
  const counting = await store.count(keys, now);
  assert.ok(counting.counted, `the attempt is refused: ${JSON.stringify(counting.keys)}`);
  return counting.keys;
}

/** Counts failures of one key, each as soon as the policy allows. */
async function fail(store: FailureStore, key: PolicedKey, times: number, now = start): Promise<void> {
  for (let index = 0; index < times; index += 1) await countAll(store, [key], now + index * 20 * minute);
}

const giveBack = (counted: CountedKey): Revision => ({ ...counted, revise: (tally) => withoutFailure(counted, tally) });

const passedOf = (countings: readonly { readonly counted: boolean }[]) =>
  countings.filter(({ counted }) => counted).length;

/**
 * The contract of every store of failures.
 * @param open makes an empty one
 * @param forgetsByItself whether the store removes expired records on its own
 */
export function testFailureStore(
  name: string,
  open: () => Promise<OpenStore>,
  { forgetsByItself = false, skip = false as string | false } = {},
): void {
  describe(`${name} as a store of failures`, { skip }, () => {
    test('counts each key, and returns its previous state', async () => {
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

    test('compares every character of a key', async () => {
      await using opened = await open();
      const keys = ['name:a', 'name:A', 'name:ä', 'name:%', 'name:a:', "name:' or 1=1 --"].map((key) => named(key));
      await countAll(opened.store, keys);
      assert.deepEqual(Object.values(await countsOf(opened.store)), [1, 1, 1, 1, 1, 1]);
    });

    test('stores a key of 400 characters', async () => {
      await using opened = await open();
      const key = `account:${'\u{1F600}'.repeat(340)}:${'f'.repeat(43)}`;
      await countAll(opened.store, [named(key)]);
      assert.deepEqual(await countsOf(opened.store), { [key]: 1 });
    });

    test('counts no key of an attempt if one of them has to wait', async () => {
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

    test('lets only the free number of 30 attempts at once pass, for every policy', async () => {
      await using opened = await open();
      const { store } = opened;
      for (const [kind, policy] of Object.entries(policies)) {
        const key = named(`name:${kind}`, policy);
        const countings = await Promise.all(Array.from({ length: 30 }, () => store.count([key], start)));
        assert.equal(passedOf(countings), policy.free, kind);
      }
      const expected = Object.entries(policies).map(([kind, { free }]) => [`name:${kind}`, free]);
      assert.deepEqual(await countsOf(store), Object.fromEntries(expected));
    });

    test('lets the strictest key decide on 40 attempts at once, and counts no more for the others', async () => {
      await using opened = await open();
      const { store } = opened;
      const keys = [
        named('account:1:f', policies.account),
        named('name:n'),
        named('address:1', policies.address),
        named('pair:n:1', policies.pair),
      ];
      const countings = await Promise.all(Array.from({ length: 40 }, () => store.count(keys, start)));
      assert.equal(passedOf(countings), 8);
      assert.deepEqual(Object.values(await countsOf(store)), [8, 8, 8, 8]);
    });

    test('counts exactly the passed attempts when many share some keys, without a deadlock', async () => {
      await using opened = await open();
      const { store } = opened;
      const sets = Array.from({ length: 60 }, (_, index) => [
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

    test('restores the previous state when a failure is taken back', async () => {
      await using opened = await open();
      const { store } = opened;
      const keys = [named('name:n'), named('address:1', policies.address)];
      await fail(store, keys[1] as PolicedKey, 3, start - minute);
      const before = await recordsOf(store);
      const counted = await countAll(store, keys, start + 2 * 20 * minute);
      await store.revise(counted.map(giveBack));
      assert.deepEqual(await recordsOf(store), before);
    });

    test('counts right when several failures are taken back at once', async () => {
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

    test('keeps or forgets a key by a revision, but never creates one', async () => {
      await using opened = await open();
      const { store } = opened;
      await countAll(store, [named('name:kept'), named('name:forgotten')]);
      await store.revise([
        { ...named('name:kept'), revise: (tally) => tally },
        { ...named('name:forgotten'), revise: () => undefined },
        { ...named('name:missing'), revise: () => assert.fail('a missing key is not revised') },
      ]);
      await store.revise([]);
      assert.deepEqual(await recordsOf(store), [
        { key: 'name:kept', count: 1, lastAt: start, expiresAt: start + month },
      ]);
    });

    test('finds the keys of ranges, and no others, even beyond one batch', async () => {
      await using opened = await open();
      const { store } = opened;
      const keys = ['pair:a:1', 'pair:a:zz', 'pair:A:1', 'pair:b:1', 'pair:a', 'browser:1:f:x', 'name:a'];
      await countAll(
        store,
        keys.map((key) => named(key)),
      );
      const find = async (...ranges: KeyRange[]) => (await store.find(ranges)).toSorted();
      assert.deepEqual(
        await find({ start: 'pair:a:' }, { start: 'browser:1' }, { start: 'missing' }),
        ['browser:1:f:x', 'pair:a:1', 'pair:a:zz'].toSorted(),
      );
      for (let batch = 0; batch < 12; batch += 1)
        await countAll(
          store,
          Array.from({ length: 100 }, (_, index) => named(`pair:${batch * 100 + index}:9`)),
        );
      assert.deepEqual(await find({ start: 'pair:', end: ':1' }), ['pair:A:1', 'pair:a:1', 'pair:b:1']);
      assert.equal((await find({ start: 'pair:', end: ':9' })).length, 1200);
    });

    test('returns the number of forgotten keys', async () => {
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

    test('does not count expired keys, and removes them on its own or when it is cleaned', async () => {
      await using opened = await open();
      const { store } = opened;
      const old = start - month - 10_000;
      const names = ['name:1', 'name:2', 'name:3'];
      for (const key of names) await countAll(store, [named(key)], old);
      await countAll(store, [named('account:1:f', policies.account)], old);
      const [again] = await countAll(store, [named('name:1')]);
      assert.equal(again?.before, undefined);
      assert.equal(await opened.clean?.(start), forgetsByItself ? undefined : 2);
      assert.deepEqual(await countsOf(store), { 'account:1:f': 1, 'name:1': 1 });
    });

    test('never lets a stopped key expire, unless its policy has no stop any more', async () => {
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

    test('lists every key once, even beyond one batch', async () => {
      await using opened = await open();
      const { store } = opened;
      const keys = Array.from({ length: 1203 }, (_, index) => named(`name:${index}`));
      for (let index = 0; index < keys.length; index += 100) await countAll(store, keys.slice(index, index + 100));
      const listed = (await recordsOf(store)).map(({ key }) => key);
      assert.deepEqual(listed, keys.map(({ key }) => key).toSorted());
    });

    test('shares its data with other connections, and keeps it for later ones', async (t) => {
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
