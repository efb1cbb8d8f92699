import { missing } from '../servers/missing.ts';
import { withoutNetwork } from './network.ts';
import { startRedisCluster, startSentinels } from './redis.ts';
import { testCluster } from './test-cluster.ts';

const skip = missing('Redis') || withoutNetwork();
const losesSessions = 'a replica that is promoted may lack the last writes';

// Everything but sessions is in one SQLite, also the ends of sessions.
testCluster({ name: 'Redis under sentinels', skip, start: startSentinels, losesSessions });
testCluster({ name: 'Redis Cluster', skip, start: startRedisCluster, losesSessions });
