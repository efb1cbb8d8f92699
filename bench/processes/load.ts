// Sends the requests, away from the servers.
import { setPriority } from 'node:os';
import { percentile } from '../statistics.ts';
import { offer } from './child.ts';
import { type Connection, openConnection } from './connection.ts';

export interface Load {
  readonly port: number;
  /** Whole HTTP requests; each connection repeats its share of them. */
  readonly requests: readonly string[];
  /** What each answer must contain. */
  readonly expected?: string;
  readonly connections: number;
  /** Ends at this many answers or this many seconds, whichever comes first. */
  readonly count: number;
  readonly seconds: number;
  /**
   * Never sleeps, at the price of a core. Whoever sends to a sleeping process pays for waking it, much in a virtual
   * machine, and that is not what a request costs (docs/performance.md).
   */
  readonly awake?: boolean;
}

export interface LoadResult {
  readonly answers: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly median: number;
  readonly p99: number;
}

export type LoadTasks = {
  /** @throws for any answer that is not a 200 with what is expected: the speed of refusals is nobody's question */
  send(load: Load): Promise<LoadResult>;
  /** Lets everything else go first: who never sleeps must not delay who does something. */
  yieldToOthers(): void;
};

offer({
  async send({ port, requests, expected = '', connections, count, seconds, awake = false }) {
    const open = await Promise.all(Array.from({ length: connections }, () => openConnection(port)));
    const start = performance.now();
    const deadline = start + seconds * 1000;
    const times: number[] = [];
    let sent = 0;

    const bytes = requests.map((request) => Buffer.from(request));
    async function repeat(connection: Connection, first: number): Promise<void> {
      for (let next = first; sent < count && performance.now() < deadline; next += connections) {
        const request = bytes[next % bytes.length] ?? Buffer.alloc(0);
        sent += 1;
        const sentAt = performance.now();
        const { status, body } = await connection.exchange(request);
        if (status !== 200) throw new Error(`the server answered ${status}`);
        if (!body.includes(expected)) throw new Error(`the server answered without ${expected}`);
        times.push(performance.now() - sentAt);
      }
    }

    let turn = awake ? setImmediate(stayAwake) : undefined;
    function stayAwake(): void {
      turn = setImmediate(stayAwake);
    }
    try {
      await Promise.all(open.map(repeat));
    } finally {
      clearImmediate(turn);
      for (const connection of open) connection.close();
    }
    return {
      answers: times.length,
      perSecond: (times.length / (performance.now() - start)) * 1000,
      median: percentile(times, 0.5),
      p99: percentile(times, 0.99),
    };
  },

  yieldToOthers: () => setPriority(19),
} satisfies LoadTasks);
