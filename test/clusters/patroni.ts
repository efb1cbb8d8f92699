import { join } from 'node:path';
import { findProgram } from '../servers/find-program.ts';
import { findPostgres } from '../servers/postgres.ts';
import { type Proxy as Delayed, startProxy } from '../servers/proxy.ts';
import { type Cluster, crashes, partitions, startMachines, until } from './cluster.ts';
import { createNetwork } from './network.ts';

const size = 3;

/** Milliseconds that each answer of a slow node takes. */
const latency = 400;

/** Seconds. The least that Patroni works with is far below what a team would set, so that a run sees many failovers. */
const timing = { ttl: 8, loop_wait: 1, retry_timeout: 3 };

export const findPatroni = () => findProgram('patroni') && findProgram('etcd');

interface Member {
  readonly role: string;
  readonly state: string;
}

/** PostgreSQL on three machines: each confirmed write is on two of them. Patroni and etcd choose the primary. */
export async function startPatroni(): Promise<Cluster> {
  await using closing = new AsyncDisposableStack();
  const network = closing.use(await createNetwork(size));
  const { addresses } = network;
  const nodes = await startMachines(network, closing, {
    name: 'patroni',
    script,
    args(address, { home, data }) {
      const index = addresses.indexOf(address);
      return [home, data, JSON.stringify(configure(addresses, index, data)), ...etcd(addresses, index)];
    },
    answers: async (address) => (await ask(address, 'liveness')).ok,
  });

  async function leader(): Promise<number | undefined> {
    const answers = await Promise.all(addresses.map((address) => ask(address, 'primary').catch(() => undefined)));
    const found = answers.findIndex((answer) => answer?.ok);
    return found < 0 ? undefined : found;
  }
  const askLeader = async (...how: [path: string, init?: RequestInit, patience?: number]) =>
    ask(addresses[(await leader()) ?? 0], ...how);
  const settle = () =>
    until('Patroni has a primary and two replicas', async () => {
      const { members } = (await (await askLeader('cluster')).json()) as { members: Member[] };
      const roles = members.filter(({ state }) => state === 'running' || state === 'streaming').map(({ role }) => role);
      return ['leader', 'replica', 'sync_standby'].every((role) => roles.includes(role));
    });
  await settle();
  const proxies: Delayed[] = [];
  for (const address of addresses) proxies.push(closing.use(await startProxy(5432, address)));
  const list = proxies.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const kept = closing.move();
  return {
    env: () => ({ DATABASE_URL: `postgres://postgres@${list}/postgres?target_session_attrs=read-write` }),
    leader,
    settle,
    faults: {
      ...crashes(nodes),
      ...partitions(network),
      async delay(node) {
        proxies[node]?.delay(latency);
        return async () => proxies[node]?.pass();
      },
      async switchover() {
        const body = JSON.stringify({ leader: String(await leader()) });
        // Without a replica to switch to it is refused.
        await askLeader('switchover', { method: 'POST', body }, 30_000).catch(() => {});
        return async () => {};
      },
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** PostgreSQL does not run as root, so that nothing does. */
const script = `
user=$(id -u postgres 2>/dev/null || id -u nobody); home=$1 data=$2 configuration=$3; shift 3
chmod 755 "$home"; chown "$user" "$data"; cd "$data"
as="setpriv --reuid $user --regid $user --clear-groups env HOME=$data"
$as "$@" &
$as PATRONI_CONFIGURATION="$configuration" patroni &
wait`;

function etcd(addresses: readonly string[], index: number): readonly string[] {
  const [client, peer] = [2379, 2380].map((port) => `http://${addresses[index]}:${port}`);
  return [
    ...[
      'etcd',
      '--name',
      String(index),
      '--data-dir',
      'etcd',
      '--log-level',
      'error',
      '--unsafe-no-fsync',
      '--enable-v2',
    ],
    ...['--listen-client-urls', `${client}`, '--advertise-client-urls', `${client}`],
    ...['--listen-peer-urls', `${peer}`, '--initial-advertise-peer-urls', `${peer}`],
    ...['--initial-cluster', addresses.map((address, member) => `${member}=http://${address}:2380`).join(',')],
  ];
}

const configure = (addresses: readonly string[], index: number, data: string) => ({
  scope: 'janua',
  name: String(index),
  restapi: { listen: `${addresses[index]}:8008`, connect_address: `${addresses[index]}:8008` },
  // By version 3 of the API, a leader that was away takes the lock from its successor (Patroni 3.0.2, `_update_leader`).
  etcd: { hosts: addresses.map((address) => `${address}:2379`) },
  bootstrap: {
    dcs: {
      ...timing,
      synchronous_mode: true,
      postgresql: {
        use_pg_rewind: true,
        remove_data_directory_on_rewind_failure: true,
        remove_data_directory_on_diverged_timelines: true,
        parameters: { max_connections: 100, wal_log_hints: 'on', wal_keep_size: '256MB' },
      },
    },
    initdb: [{ encoding: 'UTF8' }, { locale: 'C.UTF-8' }, 'data-checksums', 'no-sync'],
  },
  postgresql: {
    listen: `${addresses[index]}:5432`,
    connect_address: `${addresses[index]}:5432`,
    data_dir: join(data, 'postgres'),
    bin_dir: join(findPostgres() ?? '', '..'),
    pgpass: join(data, 'pgpass'),
    authentication: { superuser: { username: 'postgres' }, replication: { username: 'replicator' } },
    pg_hba: ['local all all trust', 'host all all all trust', 'host replication all all trust'],
    parameters: {
      unix_socket_directories: data,
      shared_buffers: '32MB',
      dynamic_shared_memory_type: 'mmap',
      // By default a primary notices only after a minute that a replica is gone.
      wal_sender_timeout: '3s',
      wal_receiver_timeout: '3s',
      // The machine goes on when a test kills its processes.
      fsync: 'off',
    },
  },
});

const ask = (address: string | undefined, path: string, init: RequestInit = {}, patience = 1_000) =>
  fetch(`http://${address}:8008/${path}`, { ...init, signal: AbortSignal.timeout(patience) });
