import type { RedisClient } from './redis.ts';

/** All primaries of a cluster, or the one server. */
export const serversOf = (client: RedisClient) => ('nodes' in client ? client.nodes('master') : [client]);

export type RedisServer = ReturnType<typeof serversOf>[number];
