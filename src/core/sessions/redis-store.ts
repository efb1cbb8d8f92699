import { clockTolerance } from '../../ground/faults/clock.ts';
import type { OpenRedis, RedisClient, ScriptedClient } from '../../ground/redis/redis.ts';
import { type RedisServer, serversOf } from '../../ground/redis/servers.ts';
import type { AuthenticationMethod, Renewal, SessionRecord, SessionStore } from './store.ts';

const sessionKey = (id: string) => `janua:session:${id}`;
/** The ids of a user's sessions, ordered by expiry. */
const indexKey = (userId: string) => `janua:sessions-of:${userId}`;

/** Each script is atomic. Redis removes a key when its session expires. */
const scripts = {
  insertSession: `if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
    redis.call('HSET', KEYS[1], unpack(ARGV, 2))
    redis.call('PEXPIREAT', KEYS[1], ARGV[1])
    return 1`,
  changeSession: `local user = redis.call('HGET', KEYS[1], 'user')
    if user then
      redis.call('HSET', KEYS[1], unpack(ARGV, 2))
      redis.call('PEXPIREAT', KEYS[1], ARGV[1])
    end
    return user`,
  removeSession: `local user = redis.call('HGET', KEYS[1], 'user')
    redis.call('DEL', KEYS[1])
    return user`,
  /** Adds a session to the index of its user, or moves it. The index expires with its last session. */
  indexSession: `redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
    redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
    redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2]))`,
} as const;

type Client = ScriptedClient<keyof typeof scripts>;

/**
 * Stores sessions in Redis or Valkey. A cluster cannot change two keys at once, so the order matters: the index changes first when a
 * session starts, and last when it ends. An id in the index without a session is ignored.
 */
export function createRedisSessionStore(redis: OpenRedis): SessionStore {
  const use = redis.useScripts(scripts);

  async function find(client: RedisClient, id: string): Promise<SessionRecord | undefined> {
    return toRecord(id, await client.hgetall(sessionKey(id)));
  }

  function change(id: string, hash: Hash, lastSeenAt: number, expiresAt: number): Promise<boolean> {
    return use(async (client) => {
      const user = await client.changeSession(sessionKey(id), expiresAt, ...Object.entries(hash).flat());
      if (user !== null) await client.indexSession(indexKey(String(user)), id, expiresAt, lastSeenAt);
      return user !== null;
    });
  }

  async function remove(client: Client, ids: readonly string[]): Promise<number> {
    const removals = [...new Set(ids)].map(async (id) => {
      const user = await client.removeSession(sessionKey(id));
      if (user !== null) await client.zrem(indexKey(String(user)), id);
      return user !== null;
    });
    return (await Promise.all(removals)).filter((removed) => removed).length;
  }

  return {
    async insert(record, replaced) {
      const { id, userId, lastSeenAt, expiresAt } = record;
      const inserted = await use(async (client) => {
        await client.indexSession(indexKey(userId), id, expiresAt, lastSeenAt);
        return client.insertSession(sessionKey(id), expiresAt, ...Object.entries(toHash(record)).flat());
      });
      if (inserted === 0) throw new TypeError('a session id was used twice');
      await use((client) => remove(client, replaced)).catch(async (error: unknown) => {
        // The client does not get the new session. If it cannot be removed either, it expires unused.
        await use((client) => remove(client, [id])).catch(() => {});
        throw error;
      });
    },

    find: (id) => use((client) => find(client, id)),

    async touch(id, lastSeenAt, expiresAt) {
      await change(id, { seen: lastSeenAt, expires: expiresAt }, lastSeenAt, expiresAt);
    },

    renew: (id, renewal) => change(id, toRenewed(renewal), renewal.lastSeenAt, renewal.expiresAt),

    remove: (ids) => use((client) => remove(client, ids)),

    listOfUser: (userId) =>
      use(async (client) => {
        const ids = await client.zrange(indexKey(userId), '0', '-1');
        const records = await Promise.all(ids.map((id) => find(client, id)));
        return records.filter((record) => record?.userId === userId) as SessionRecord[];
      }),

    removeOfUser: (userId, keptId) =>
      use(async (client) => {
        const ids = (await client.zrange(indexKey(userId), '0', '-1')).filter((id) => id !== keptId);
        const count = await remove(client, ids);
        if (ids.length > 0) await client.zrem(indexKey(userId), ...ids);
        return count;
      }),

    removeOldestOfUser: (userId, time, kept) =>
      use(async (client) => {
        const ids = await client.zrangebyscore(indexKey(userId), `(${time}`, '+inf');
        if (ids.length <= kept) return [];
        const records = await Promise.all(ids.map((id) => find(client, id)));
        const startOf = ({ createdAt }: SessionRecord) => (createdAt > time + clockTolerance ? 0 : createdAt);
        const oldest = records
          .filter((record) => record !== undefined)
          .sort((one, other) => startOf(other) - startOf(one))
          .slice(kept)
          .map(({ id }) => id);
        await remove(client, oldest);
        return oldest;
      }),

    async count() {
      const counts = await use((client) => Promise.all(serversOf(client).map(countOn)));
      return counts.reduce((sum, count) => sum + count, 0);
    },

    async check() {
      await use((client) => client.set('janua:check', '1', 'PX', 10_000));
    },
  };
}

/** The most keys that an estimate reads on each server. SCAN returns them in the order of their hashes, so they are a fair sample. */
const sampledKeys = 10_000;

/** Counts the sessions of a server, or estimates them from the first keys. */
async function countOn(server: RedisServer): Promise<number> {
  let cursor = '0';
  let seen = 0;
  let sessions = 0;
  do {
    const [next, keys] = await server.scan(cursor, 'COUNT', 1000);
    cursor = next;
    seen += keys.length;
    sessions += keys.filter((key) => key.startsWith(sessionKey(''))).length;
  } while (cursor !== '0' && seen < sampledKeys);
  return cursor === '0' ? sessions : Math.round((sessions / seen) * (await server.dbsize()));
}

type Hash = Readonly<Record<string, string | number>>;

function toHash(record: SessionRecord): Hash {
  return {
    ...toRenewed(record),
    user: record.userId,
    created: record.createdAt,
    agent: record.userAgent ?? '',
    address: record.address ?? '',
    remembered: record.remembered ? 1 : 0,
    ...(record.tokenScope !== undefined && { scope: record.tokenScope }),
  };
}

function toRenewed(renewal: Renewal): Hash {
  return {
    fingerprint: renewal.stamp,
    cookie: renewal.cookieHash,
    token: renewal.tokenHash,
    seen: renewal.lastSeenAt,
    expires: renewal.expiresAt,
    authenticated: renewal.authenticatedAt,
    methods: renewal.methods.join(' '),
  };
}

function toRecord(id: string, hash: Readonly<Record<string, string | undefined>>): SessionRecord | undefined {
  const { user, fingerprint, cookie, token, created, seen, expires } = hash;
  // Records of older versions lack these fields. All of those sessions were started by password.
  const { authenticated = created, methods, agent, address, remembered, scope } = hash;
  if (user === undefined || fingerprint === undefined || cookie === undefined || token === undefined) return undefined;
  return {
    id,
    userId: user,
    stamp: fingerprint,
    cookieHash: cookie,
    tokenHash: token,
    createdAt: Number(created),
    lastSeenAt: Number(seen),
    expiresAt: Number(expires),
    authenticatedAt: Number(authenticated),
    methods: methods ? (methods.split(' ') as AuthenticationMethod[]) : ['pwd'],
    userAgent: agent || undefined,
    address: address || undefined,
    remembered: remembered === '1',
    tokenScope: scope,
  };
}
