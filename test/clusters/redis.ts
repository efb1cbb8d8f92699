import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ask } from '../servers/redis.ts';
import type { Place } from '../servers/throw-away-server.ts';
import { type Cluster, crashes, partitions, startMachines, until } from './cluster.ts';
import { createNetwork } from './network.ts';

const size = 3;
const name = 'main';

/** Milliseconds without an answer after which a node counts as lost, and for one answer. */
const downAfter = 1_500;
const answerPatience = 1_000;

/** What docs/deployment.md advises. */
const advised = { appendonly: 'yes', appendfsync: 'everysec', 'maxmemory-policy': 'noeviction' };

const fileOf = (settings: Readonly<Record<string, string | number>>) =>
  Object.entries({ 'protected-mode': 'no', save: '""', ...settings })
    .map(([key, value]) => `${key} ${value}\n`)
    .join('');

/** Both programs of a machine write into their files what they learn, and read it when they start again. */
const script = `
cd "$1"
for one in first second; do
  shift
  [ -d $one ] || { mkdir $one; printf %s "$1" >$one/redis.conf; }
  (cd $one && exec redis-server ./redis.conf $(grep -q '^sentinel' redis.conf && echo --sentinel)) &
done
wait`;

/** @param port of the program that is asked whether the machine runs */
const machines = (port: number, settings: (address: string) => readonly [first: string, second: string]) => ({
  name: 'redis-machine',
  script,
  args: (address: string, { data }: Place) => [data, ...settings(address)],
  answers: async (address: string) => (await say(address, port, 'ping')) === 'PONG',
});

/** The answer, or nothing if the server cannot be reached. */
async function say(address: string | undefined, port: number, ...words: [string, ...string[]]): Promise<string> {
  const answer = ask({ url: `redis://${address}:${port}` }, ...words).then(String, () => '');
  return Promise.race([answer, setTimeout(answerPatience, '', { ref: false })]);
}

/** A master, two replicas and three sentinels on three machines. */
export async function startSentinels(): Promise<Cluster> {
  await using closing = new AsyncDisposableStack();
  const network = closing.use(await createNetwork(size));
  const { addresses } = network;
  const [first = ''] = addresses;
  const settings = (address: string) =>
    [
      fileOf({
        ...{ bind: address, port: 6379, 'repl-diskless-sync-delay': 0, ...advised },
        ...{ 'min-replicas-to-write': 1, 'min-replicas-max-lag': 10 },
        ...(address !== first && { replicaof: `${first} 6379` }),
      }),
      fileOf({
        ...{ bind: address, port: 26379, 'sentinel monitor': `${name} ${first} 6379 2` },
        ...{ 'sentinel down-after-milliseconds': `${name} ${downAfter}`, 'sentinel failover-timeout': `${name} 4000` },
      }),
    ] as const;
  const nodes = await startMachines(network, closing, machines(26379, settings));
  const everywhere = (port: number, ...words: [string, ...string[]]) =>
    Promise.all(addresses.map((address) => say(address, port, ...words)));
  const settle = () =>
    until('a master has two replicas, and three sentinels know it', async () => {
      const roles = await everywhere(6379, 'info', 'replication');
      const known = await everywhere(26379, 'info', 'sentinel');
      const replicas = roles.filter((role) => /role:slave.*master_link_status:up/s.test(role));
      const isLed = roles.some((role) => /role:master\r\nconnected_slaves:2/.test(role));
      return isLed && replicas.length === 2 && known.every((one) => /status=ok,.*slaves=2,sentinels=3/.test(one));
    });
  await settle();
  const kept = closing.move();
  return {
    env: () => ({ REDIS_URL: `redis+sentinel://${addresses.map((address) => `${address}:26379`).join(',')}/${name}` }),
    settle,
    async leader() {
      const named = await everywhere(26379, 'sentinel', 'get-master-addr-by-name', name);
      const votes = addresses.map((address) => named.filter((one) => one.startsWith(`${address},`)).length);
      return votes.indexOf(Math.max(...votes));
    },
    faults: {
      ...crashes(nodes),
      ...partitions(network),
      async switchover() {
        await say(first, 26379, 'sentinel', 'failover', name);
        return async () => {};
      },
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Three masters, each with its replica on another machine. */
export async function startRedisCluster(): Promise<Cluster> {
  await using closing = new AsyncDisposableStack();
  const network = closing.use(await createNetwork(size));
  const { addresses } = network;
  const [master, replica] = [7001, 7002] as const;
  const ports = [master, replica] as const;
  const node = (address: string, port: number) =>
    fileOf({ bind: address, port, 'cluster-enabled': 'yes', 'cluster-node-timeout': downAfter, ...advised });
  const settings = (address: string) => [node(address, master), node(address, replica)] as const;
  const nodes = await startMachines(network, closing, machines(replica, settings));
  const all = ports.flatMap((port) => addresses.map((address) => ({ address, port })));
  const list = all.map(({ address, port }) => `${address}:${port}`);
  await promisify(execFile)('redis-cli', ['--cluster', 'create', ...list, '--cluster-replicas', '1', '--cluster-yes']);
  const settle = () =>
    until('each of three masters has its replica, on another machine', async () => {
      const states = await Promise.all(all.map(({ address, port }) => say(address, port, 'cluster', 'info')));
      const roles = await Promise.all(all.map(({ address, port }) => say(address, port, 'info', 'replication')));
      const isWhole = states.every((one) => /cluster_state:ok.*cluster_known_nodes:6/s.test(one));
      const replicas = roles.filter((role) => /role:slave.*master_link_status:up/s.test(role));
      if (!isWhole || replicas.length !== size) return false;
      const moved = all.filter(({ port }, index) => port === master && !roles[index]?.includes('role:master'));
      for (const { address, port } of moved) await say(address, port, 'cluster', 'failover');
      return moved.length === 0;
    });
  await settle();
  const kept = closing.move();
  return {
    env: () => ({ REDIS_URL: `redis+cluster://${list.join(',')}` }),
    settle,
    faults: {
      ...crashes(nodes),
      ...partitions(network),
      async switchover(index) {
        await say(addresses[index], replica, 'cluster', 'failover');
        return async () => {};
      },
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
