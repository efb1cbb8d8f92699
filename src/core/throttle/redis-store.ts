import { createTurns } from '../../ground/faults/turns.ts';
import type { OpenRedis, RedisClient, ScriptedClient } from '../../ground/redis/redis.ts';
import { type RedisServer, serversOf } from '../../ground/redis/servers.ts';
import { expiryOf, type Tally, withoutFailure } from './backoff.ts';
import {
  type CountedKey,
  countFound,
  type FailureRecord,
  type FailureStore,
  isInRange,
  type KeyRange,
  type PolicedKey,
  type Revision,
} from './store.ts';

const prefix = 'janua:failures:';

const listingBatch = 500;

/** How many keys one scan examines. For a page, this is the size of the page, because all of these keys may be failures. */
const scannedAtOnce = { forPage: listingBatch, forAll: 1_000 };

/** The most scans for one page. */
const mostScans = 100;

/** Replaces a tally if it is still the one that was read. Returns 1 if it was replaced. An empty string stands for no tally. */
const replaceTally = `local found = redis.call('HMGET', KEYS[1], 'count', 'last')
  if (found[1] or '') ~= ARGV[1] or (found[2] or '') ~= ARGV[2] then return 0 end
  if ARGV[3] == '' then
    redis.call('DEL', KEYS[1])
    return 1
  end
  redis.call('HSET', KEYS[1], 'count', ARGV[3], 'last', ARGV[4], 'expires', ARGV[5])
  if ARGV[5] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], ARGV[5]) end
  return 1`;

type Client = ScriptedClient<'replaceTally'>;

const scanFailures = (server: RedisServer, cursor: string, keys: number) =>
  server.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', keys);

/**
 * Stores failures in Redis or Valkey. A cluster cannot change several keys atomically. So the keys of an attempt are counted one after the
 * other, always in the same order. If a later key has to wait, the failures of the earlier keys are taken back. Until then, other attempts
 * may find one failure too many, never one too few.
 */
export function createRedisFailureStore(redis: OpenRedis): FailureStore {
  const use = redis.useScripts({ replaceTally });

  async function countOne<Key extends PolicedKey>(client: Client, key: Key, now: number) {
    for (;;) {
      const found = await read(client, [key]);
      const counting = countFound([key], found, now);
      // Tries again if another process was faster. Of several simultaneous tries, one always succeeds.
      if (!counting.counted || (await replace(client, key, found[0], counting.keys[0]?.after))) return counting;
    }
  }

  async function reviseOne(client: Client, revision: Revision): Promise<void> {
    for (;;) {
      const [tally] = await read(client, [revision]);
      if (tally === undefined || (await replace(client, revision, tally, revision.revise(tally)))) return;
    }
  }

  const giveBack = (client: Client, counted: readonly CountedKey[]) =>
    Promise.all(counted.map((key) => reviseOne(client, { ...key, revise: (tally) => withoutFailure(key, tally) })));

  const scanSteps = createTurns({ part: 'The throttle', atOnce: 1, waiting: Number.POSITIVE_INFINITY, rests: true });

  /** Finds keys by scanning all of them, because Redis does not sort keys. It reads no values. Each step has a time limit of its own. */
  async function scanAll(ranges: readonly KeyRange[]): Promise<string[]> {
    const found = new Set<string>();
    const nodes = await use(async (client) => serversOf(client));
    for (const node of nodes) {
      let cursor = '0';
      do {
        const scan = () => use(() => scanFailures(node, cursor, scannedAtOnce.forAll));
        const [next, names] = await scanSteps.take({ places: [], parties: [] }, scan);
        for (const key of names.map((name) => name.slice(prefix.length)))
          if (ranges.some((range) => isInRange(key, range))) found.add(key);
        cursor = next;
      } while (cursor !== '0');
    }
    return [...found];
  }

  let lastScan: Promise<unknown> = Promise.resolve();
  /** The scan that begins after the current one. All requests until then share it, because each scan would keep Redis busy. */
  let waiting: { readonly ranges: KeyRange[]; readonly found: Promise<string[]> } | undefined;

  function createScan() {
    const ranges: KeyRange[] = [];
    const found = lastScan.then(() => {
      waiting = undefined;
      return scanAll(ranges);
    });
    lastScan = found.catch(() => {});
    return { ranges, found };
  }

  return {
    count: (keys, now) =>
      use(async (client) => {
        const expected = countFound(keys, await read(client, keys), now);
        if (!expected.counted) return expected;
        const counted: CountedKey<(typeof keys)[number]>[] = [];
        try {
          for (const key of keys) {
            const counting = await countOne(client, key, now);
            if (!counting.counted) {
              await giveBack(client, counted);
              const [refused] = counting.keys;
              return {
                counted: false,
                keys: expected.keys.map((other) => (refused?.key === other.key ? refused : other)),
              };
            }
            counted.push(...counting.keys);
          }
          return { counted: true, keys: counted };
        } catch (error) {
          // One node of a cluster may be unreachable. The attempt fails, so its failures on the other nodes are taken back.
          await giveBack(client, counted).catch(() => {});
          throw error;
        }
      }),

    revise: (revisions) =>
      use(async (client) => {
        await Promise.all(revisions.map((revision) => reviseOne(client, revision)));
      }),

    forget: (keys) =>
      use(async (client) => {
        const removed = await Promise.all(keys.map((key) => client.del(prefix + key)));
        return removed.reduce((sum, one) => sum + one, 0);
      }),

    listPage: (from = '0:0') =>
      use(async (client) => {
        const nodes = serversOf(client);
        let [index = 0, cursor = '0'] = /^\d{1,3}:\d{1,19}$/.test(from) ? readPlace(from) : [nodes.length];
        const names = new Set<string>();
        // Sessions have keys in the same Redis, so a scan may find few failures.
        for (let scans = 0; scans < mostScans && names.size < listingBatch; scans += 1) {
          const node = nodes[index];
          if (node === undefined) break;
          const [next, found] = await scanFailures(node, cursor, scannedAtOnce.forPage);
          for (const name of found) names.add(name);
          cursor = next;
          if (next === '0') index += 1;
        }
        const keys = [...names].map((name) => ({ key: name.slice(prefix.length) }));
        return { records: await read(client, keys), next: index < nodes.length ? `${index}:${cursor}` : undefined };
      }),

    async find(ranges) {
      waiting ??= createScan();
      waiting.ranges.push(...ranges);
      return (await waiting.found).filter((key) => ranges.some((range) => isInRange(key, range)));
    },
  };
}

/** Parses the node and the cursor where a page ends. */
function readPlace(place: string): [index: number, cursor: string] {
  const [index, cursor = ''] = place.split(':');
  return [Number(index), cursor];
}

async function replace(client: Client, { key, policy }: PolicedKey, from: Tally | undefined, to: Tally | undefined) {
  const expiresAt = to && expiryOf(policy, to);
  const values = [from?.count, from?.lastAt, to?.count, to?.lastAt, expiresAt].map((value) => value ?? '');
  return (await client.replaceTally(prefix + key, ...values)) === 1;
}

async function read(client: RedisClient, keys: readonly Pick<PolicedKey, 'key'>[]): Promise<FailureRecord[]> {
  const readings = keys.map(async ({ key }) => {
    const [count, last, expires] = await client.hmget(prefix + key, 'count', 'last', 'expires');
    if (count == null || last == null) return [];
    return [{ key, count: Number(count), lastAt: Number(last), expiresAt: expires ? Number(expires) : undefined }];
  });
  return (await Promise.all(readings)).flat();
}
