import { availableParallelism } from 'node:os';
import type { LoadResult, LoadTasks } from '../processes/load.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks, Usage } from '../processes/server-tasks.ts';
import { type Summary, summarize } from '../statistics.ts';

/** Enough to keep a server busy without end, so that it never waits and its CPU time is that of the requests. */
const connections = 16;

/** What is asked, and what an answer must contain to be right. */
export interface Ask {
  /** Whole HTTP requests. */
  readonly requests: readonly string[];
  readonly expected: string;
}

/** What one run gave. */
export interface Figures {
  /** Microseconds of the server's CPU for one request: unlike requests per second it changes little with what else the machine does. */
  readonly cpu: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly median: number;
  readonly p99: number;
  /** How much of a core the server took: less than one where it had to wait, for its stores or for the machine. */
  readonly busyCores: number;
}

/** Who sends requests to a server, at the least cost to it. */
export interface Sender {
  readonly load: Child<LoadTasks>;
  readonly awake: boolean;
}

/**
 * For a server whose stores are so many other processes. Who never sleeps spares the server the waking, but needs a core:
 * where the stores need it too, the server answers more of one who sleeps (docs/performance.md).
 */
export async function startSenders(stack: AsyncDisposableStack): Promise<(storeServers: number) => Sender> {
  const sleeping = { load: stack.use(startChild<LoadTasks>('./load.ts')), awake: false };
  const awake = { load: stack.use(startChild<LoadTasks>('./load.ts')), awake: true };
  await awake.load.ask('yieldToOthers');
  return (storeServers) => (availableParallelism() >= 2 + storeServers ? awake : sleeping);
}

/** Sends the requests over 16 connections, each the next one as soon as it is answered. */
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

/** What the work cost the process that did it. */
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
