import { missing } from '../servers/missing.ts';
import { withoutNetwork } from './network.ts';
import { startPatroni } from './patroni.ts';
import { testCluster } from './test-cluster.ts';

testCluster({
  name: 'PostgreSQL under Patroni',
  skip: missing('PostgreSQL', 'Patroni') || withoutNetwork(),
  start: startPatroni,
});
