import { startGalera } from '../servers/galera.ts';
import { missing } from '../servers/missing.ts';
import { type Cluster, crashes } from './cluster.ts';
import { testSync } from './sync.ts';
import { testCluster } from './test-cluster.ts';

/** Each server of Janua uses a node of its own. */
async function start(): Promise<Cluster> {
  await using closing = new AsyncDisposableStack();
  const galera = closing.use(await startGalera('evs.suspect_timeout=PT4S', 'evs.inactive_timeout=PT8S'));
  const urls = await galera.createDatabase();
  const kept = closing.move();
  return {
    env: (server) => ({ DATABASE_URL: String(urls[server % urls.length]) }),
    faults: crashes(galera.nodes),
    settle: () => galera.reach(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const engine = { name: 'MariaDB with Galera', skip: missing('Galera'), start };

testCluster(engine);
testSync(engine);
