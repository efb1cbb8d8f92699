import type { RedisClient } from './redis.ts';

/** Returns all primaries of a cluster, or the single server. */
export const serversOf = (client: RedisClient) => ('nodes' in client ? client.nodes('master') : [client]);

export type RedisServer = ReturnType<typeof serversOf>[number];
