import type { OpenRedis } from '../../../ground/redis/redis.ts';

/** Short-lived records in Redis, by the hash of their id. They last 15 minutes at most. */
export type BriefRecords = ReturnType<typeof createRedisRequests>;

const keyOf = (id: string) => `janua:oidc:${id}`;

/** Names the index of ids that belong to a user, a host or a network, in order of time. */
const indexKey = (party: string) => `janua:oidc-of:${party}`;

/** Adds an id to the index of its user, and returns the oldest ids beyond the limit. The index expires with its last request. */
const addWaiting = `redis.call('ZADD', KEYS[1], 'NX', ARGV[1], ARGV[2])
  redis.call('PEXPIREAT', KEYS[1], ARGV[3])
  local oldest = redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[4])
  if #oldest > 0 then redis.call('ZREM', KEYS[1], unpack(oldest)) end
  return oldest`;

/** Adds an id to the index of its host or network, unless that has too many ids that have not expired. */
const takeRoom = `redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
  if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 0 end
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
  redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
  return 1`;

/** The user, host or network that an id counts for, and its limit. */
export interface Waiting {
  readonly party: string;
  readonly most: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Requests that wait for their user, and used assertions, in Redis or Valkey. They expire by themselves, so abandoned requests need no
 * cleaning. A cluster cannot change two keys as one: an id in the index without a request means nothing.
 */
export function createRedisRequests(redis: OpenRedis) {
  const use = redis.useScripts({ addWaiting, takeRoom });
  return {
    async put(id: string, text: string, expiresAt: number, waiting: Waiting | undefined): Promise<void> {
      await use(async (client) => {
        if (waiting !== undefined) {
          const { party, most, now } = waiting;
          const oldest = await client.addWaiting(indexKey(party), now, id, expiresAt, most);
          await Promise.all((oldest as string[]).map((one) => client.del(keyOf(one))));
        }
        await client.set(keyOf(id), text, 'PXAT', expiresAt);
      });
    },
    /** Counts an id until it expires. False if its host or network has too many. */
    takeRoom: async (id: string, expiresAt: number, { party, most, now }: Waiting): Promise<boolean> =>
      (await use((client) => client.takeRoom(indexKey(party), now, id, expiresAt, most))) === 1,
    /** Remembers an id until a time. False if it was remembered already. */
    putNew: async (id: string, expiresAt: number): Promise<boolean> =>
      (await use((client) => client.set(keyOf(id), '', 'PXAT', expiresAt, 'NX'))) === 'OK',
    get: (id: string): Promise<string | null> => use((client) => client.get(keyOf(id))),
    /** False if the id was unknown. @param party the user, if the request waits for one */
    remove: (id: string, party: string | undefined): Promise<boolean> =>
      use(async (client) => {
        const removed = await client.del(keyOf(id));
        if (party !== undefined) await client.zrem(indexKey(party), id);
        return removed > 0;
      }),
  };
}
