import { availableParallelism } from 'node:os';
import type { LoadResult, LoadTasks } from '../processes/load.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks, Usage } from '../processes/server-tasks.ts';
import { type Summary, summarize } from '../statistics.ts';

/** Enough to keep a server busy. A server that waited would spend more CPU time on each request. */
const connections = 16;

/** Requests, and the text that each response must contain. */
export interface Ask {
  /** Whole HTTP requests. */
  readonly requests: readonly string[];
  readonly expected: string;
}

/** The results of one run. */
export interface Figures {
  /** Microseconds of the server's CPU for one request. Other work on the machine affects it less than requests per second. */
  readonly cpu: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly median: number;
  readonly p99: number;
  /** How many cores the server used. Less than one means that it waited for its stores or for the machine. */
  readonly busyCores: number;
}

/** A client process, chosen to cost the server as little as possible. */
export interface Sender {
  readonly load: Child<LoadTasks>;
  readonly awake: boolean;
}

/**
 * Returns a function that chooses the client for a server with this number of store servers. A client that never sleeps needs no waking
 * by the server, but occupies a core. If the stores need that core, the server answers more requests of a sleeping client: on two cores,
 * Janua on Redis and PostgreSQL 11,900 a second in place of 10,100.
 */
export async function startSenders(stack: AsyncDisposableStack): Promise<(storeServers: number) => Sender> {
  const sleeping = { load: stack.use(startChild<LoadTasks>('./load.ts')), awake: false };
  const awake = { load: stack.use(startChild<LoadTasks>('./load.ts')), awake: true };
  await awake.load.ask('yieldToOthers');
  return (storeServers) => (availableParallelism() >= 2 + storeServers ? awake : sleeping);
}

/** Sends the requests over 16 connections. Each connection sends its next request when it has received a response. */
export function sendRequests(
  server: Child<ServerTasks>,
  { load, awake }: Sender,
  { requests, expected }: Ask,
  effort: { readonly requests: number; readonly seconds: number },
): Promise<Figures> {
  return observe(server, async () => {
    const port = await server.ask('port');
    const { requests: count, seconds } = effort;
    return load.ask('send', { port, requests, expected, connections, count, seconds, awake });
  });
}

/** Measures the CPU time that `work` costs the server's process. */
export async function observe(
  server: { ask(name: 'usage'): Promise<Usage> },
  work: () => Promise<LoadResult>,
): Promise<Figures> {
  const before = await server.ask('usage');
  const { answers, perSecond, median, p99 } = await work();
  const after = await server.ask('usage');
  const cpu = (after.cpu - before.cpu) / answers;
  return { cpu, perSecond, median, p99, busyCores: (cpu * perSecond) / 1e6 };
}

export function summarizeFigure(rounds: readonly Figures[], name: keyof Figures): Summary {
  return summarize(rounds.map((figures) => figures[name]));
}
