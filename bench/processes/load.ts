// Sends the requests from its own process.
import { setPriority } from 'node:os';
import { percentile } from '../statistics.ts';
import { offer } from './child.ts';
import { type Connection, openConnection } from './connection.ts';

export interface Load {
  readonly port: number;
  /** Whole HTTP requests. Each connection repeats its share of them. */
  readonly requests: readonly string[];
  /** Text that each response must contain. */
  readonly expected?: string;
  readonly connections: number;
  /** Ends at this many responses or this many seconds, whichever comes first. */
  readonly count: number;
  readonly seconds: number;
  /**
   * Never sleeps, and occupies a core. A server that sends to a sleeping process has to wake it. In a virtual machine this is
   * expensive: it added 10 to 23 µs to the bare route, and 41 to 72 µs to `/api/me`.
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
  /** @throws for any response other than a 200 that contains `expected` */
  send(load: Load): Promise<LoadResult>;
  /** Lowers the priority, because a process that never sleeps must not delay other processes. */
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
