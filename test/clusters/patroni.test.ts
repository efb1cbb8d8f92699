import { missing } from '../servers/missing.ts';
import { withoutNetwork } from './network.ts';
import { startPatroni } from './patroni.ts';
import { testSync } from './sync.ts';
import { testCluster } from './test-cluster.ts';

const engine = {
  name: 'PostgreSQL under Patroni',
  skip: missing('PostgreSQL', 'Patroni') || withoutNetwork(),
  start: startPatroni,
};

testCluster(engine);
testSync(engine);
