import { setTimeout } from 'node:timers/promises';
import { ask, startRedis } from './redis.ts';
import type { ThrowAwayServer } from './throw-away-server.ts';

/** Masters that share all slots between them. None has a replica: what one of them holds is away with it. */
export interface RedisCluster extends AsyncDisposable {
  /** For REDIS_URL; names every master. */
  readonly url: string;
  readonly masters: readonly ThrowAwayServer[];
  /** Waits until every master says that the cluster works, or that it does not. */
  reach(state: 'ok' | 'fail'): Promise<void>;
  /** Removes everything, from all of them. */
  flush(): Promise<void>;
}

/** A cluster falls into this many slots. */
const slotCount = 16_384;

/** After this time without an answer a master is taken to be gone, in milliseconds. */
const nodeTimeout = 500;

/** Longest that the masters may take to agree, and time between two looks, in milliseconds. */
const patience = 20_000;
const pollInterval = 25;

/** After this time without one a frozen master is taken to give no answer, in milliseconds. */
const answerPatience = 500;

export async function startRedisCluster(size = 3): Promise<RedisCluster> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeout)];
  const starting = Array.from({ length: size }, () => startRedis({ durable: true, args }));
  const closing = new AsyncDisposableStack();
  try {
    const masters: ThrowAwayServer[] = [];
    for (const server of starting) masters.push(closing.use(await server));
    for (const [index, master] of masters.entries()) {
      const first = Math.ceil((slotCount * index) / size);
      const last = Math.ceil((slotCount * (index + 1)) / size) - 1;
      await ask(master, 'cluster', 'addslotsrange', String(first), String(last));
      // Two with the same number would have to settle first whose slots are whose.
      await ask(master, 'cluster', 'set-config-epoch', String(index + 1));
      if (index > 0) await ask(master, 'cluster', 'meet', '127.0.0.1', String(masters[0]?.port));
    }
    const cluster: RedisCluster = {
      url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
      masters,
      async reach(state) {
        await Promise.all(masters.map((master) => untilInformed(master, state, size)));
      },
      async flush() {
        await Promise.all(masters.map((master) => ask(master, 'flushall')));
      },
      [Symbol.asyncDispose]: () => closing.disposeAsync(),
    };
    await cluster.reach('ok');
    return cluster;
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

async function untilInformed(master: ThrowAwayServer, state: string, size: number): Promise<void> {
  const expected = [`cluster_state:${state}`, ...(state === 'ok' ? [`cluster_known_nodes:${size}`] : [])];
  const deadline = performance.now() + patience;
  let said: string | undefined;
  while (performance.now() < deadline) {
    const answer = ask(master, 'cluster', 'info').then(String, () => undefined);
    said = await Promise.race([answer, setTimeout(answerPatience, undefined, { ref: false })]);
    // One that is killed or frozen says nothing, and is why the others say that the cluster fails.
    if (said === undefined ? state === 'fail' : expected.every((line) => said?.includes(line))) return;
    await setTimeout(pollInterval);
  }
  throw new Error(`the cluster is not ${state} after ${patience} ms: ${said}`);
}
