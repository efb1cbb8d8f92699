import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { findProgram } from './find-program.ts';
import { findMariadb, startMariadb } from './mariadb.ts';
import { executeIn, urlIn } from './shared.ts';
import { findAccount, findFreePort, type ThrowAwayServer } from './throw-away-server.ts';

/** Nodes of MariaDB that each take writes. What one commits is applied at the others a moment later. */
export interface Galera extends AsyncDisposable {
  /** A killed node joins again by `start()`, if another node is alive. */
  readonly nodes: readonly ThrowAwayServer[];
  /** Waits until these nodes, or all, are one cluster and take statements. */
  reach(members?: readonly ThrowAwayServer[]): Promise<void>;
  /** Creates an empty database, and gives its URL at each node. */
  createDatabase(): Promise<[string, string, string]>;
}

const size = 3;

/** Where distributions have the library that makes MariaDB a node. */
const providers = ['/usr/lib/galera/libgalera_smm.so', '/usr/lib64/galera/libgalera_smm.so'];

/** Milliseconds within which the nodes have to agree, and between two checks. */
const patience = 60_000;
const pollInterval = 25;

/** The path of Galera on this machine, if it has MariaDB and what copies the data to a node that joins. */
export function findGalera(): string | undefined {
  return findMariadb() && findProgram('rsync') && providers.find(existsSync);
}

/** @param providerOptions such as `evs.suspect_timeout=PT1S` */
export async function startGalera(...providerOptions: readonly string[]): Promise<Galera> {
  const provider = findGalera();
  if (provider === undefined) throw new Error('Galera is not installed');
  // As root, rsync writes as another account, which may not write to the data.
  const account = findAccount('mysql', 'nobody');
  const busPorts = await Promise.all(Array.from({ length: size }, findFreePort));
  const address = `gcomm://${busPorts.map((port) => `127.0.0.1:${port}`).join(',')}`;
  const closing = new AsyncDisposableStack();

  /** @param isFirst whether it makes the cluster that the others join */
  async function startNode(busPort: number, isFirst: boolean): Promise<ThrowAwayServer> {
    const [istPort, sstPort] = [await findFreePort(), await findFreePort()];
    const options = [`gmcast.listen_addr=tcp://127.0.0.1:${busPort}`, `ist.recv_addr=127.0.0.1:${istPort}`];
    const args = [
      ...['--wsrep-on=ON', `--wsrep-provider=${provider}`, '--wsrep-node-address=127.0.0.1'],
      ...['--wsrep-sst-method=rsync', `--wsrep-sst-receive-address=127.0.0.1:${sstPort}`],
      ...['--binlog-format=ROW', '--innodb-autoinc-lock-mode=2'],
      `--wsrep-provider-options=${[...options, 'gcache.size=16M', ...providerOptions].join(';')}`,
      `--wsrep-cluster-address=${isFirst ? 'gcomm://' : address}`,
    ];
    // On a busy machine, Galera may look for a thread of its own before it runs, and give up.
    const node = closing.use(await startMariadb({ args }, account).catch(() => startMariadb({ args }, account)));
    // The last argument counts: when the first node starts again, it joins the others.
    args.push(`--wsrep-cluster-address=${address}`);
    return node;
  }

  try {
    const nodes: ThrowAwayServer[] = [];
    // One after the other, because a node can copy its data to one at a time.
    for (const busPort of busPorts) nodes.push(await startNode(busPort, nodes.length === 0));
    const galera: Galera = {
      nodes,
      async reach(members = nodes) {
        await Promise.all(members.map((node) => untilReady(node, members.length)));
      },
      async createDatabase() {
        const name = `test_${randomBytes(8).toString('hex')}`;
        const [first, second, third] = nodes.map(({ url }) => urlIn(url, name)) as [string, string, string];
        await executeIn.mariadb(nodes[0]?.url ?? '', `create database ${name}`);
        for (const { url } of nodes) await executeIn.mariadb(url, 'set statement wsrep_sync_wait = 1 for show tables');
        return [first, second, third];
      },
      [Symbol.asyncDispose]: () => closing.disposeAsync(),
    };
    await galera.reach();
    return galera;
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

async function untilReady({ url }: ThrowAwayServer, members: number): Promise<void> {
  const expected = { wsrep_ready: 'ON', wsrep_cluster_size: String(members), wsrep_local_state_comment: 'Synced' };
  const deadline = performance.now() + patience;
  let said: unknown;
  while (performance.now() < deadline) {
    said = await readStatus(url, Object.keys(expected)).catch(String);
    if (JSON.stringify(said) === JSON.stringify(expected)) return;
    await setTimeout(pollInterval);
  }
  throw new Error(`the node is no ready member of ${members} after ${patience} ms: ${JSON.stringify(said)}`);
}

async function readStatus(url: string, names: readonly string[]): Promise<Record<string, unknown>> {
  const connection = await createConnection({ uri: url, connectTimeout: 1_000 });
  connection.on('error', () => {});
  try {
    const [rows] = await connection.query({ sql: "show status like 'wsrep_%'", rowsAsArray: true });
    const status = Object.fromEntries(rows as unknown as [string, string][]);
    return Object.fromEntries(names.map((name) => [name, status[name]]));
  } finally {
    connection.destroy();
  }
}
