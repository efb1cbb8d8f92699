import type { OpenRedis } from '../redis/redis.ts';

/** What lasts an hour at most, by the hash of its id. */
export type BriefRecords = ReturnType<typeof createRedisRequests>;

const keyOf = (id: string) => `janua:oidc:${id}`;

/** Requests that wait for their user, and assertions that were used, in Redis or Valkey. They expire by themselves, so that those that users abandon need no cleaning. */
export const createRedisRequests = ({ use }: OpenRedis) => ({
  put: async (id: string, text: string, expiresAt: number): Promise<void> => {
    await use((client) => client.set(keyOf(id), text, 'PXAT', expiresAt));
  },
  /** Remembers an id until a time. False if it was remembered already. */
  putNew: async (id: string, expiresAt: number): Promise<boolean> =>
    (await use((client) => client.set(keyOf(id), '', 'PXAT', expiresAt, 'NX'))) === 'OK',
  get: (id: string): Promise<string | null> => use((client) => client.get(keyOf(id))),
  remove: async (id: string): Promise<void> => {
    await use((client) => client.del(keyOf(id)));
  },
});
