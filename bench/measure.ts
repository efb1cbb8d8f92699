import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { Ask, LoadResult } from './client.ts';
import { type Child, type ServerCommand, startClient, startServer } from './processes.ts';
import { percentile } from './statistics.ts';
import type { UsageTasks } from './usage.ts';

export type Client = ReturnType<typeof startClient>;

/** Enough to keep a server busy. A server that waited would spend more CPU time on each request. */
export const connections = 16;

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

/** Measures the CPU time that `work` costs the server's process. */
export async function observe(server: Child<UsageTasks>, work: () => Promise<LoadResult>): Promise<Figures> {
  const before = await server.ask('usage');
  const { answers, perSecond, median, p99 } = await work();
  const after = await server.ask('usage');
  const cpu = (after.cpu - before.cpu) / answers;
  return { cpu, perSecond, median, p99, busyCores: (cpu * perSecond) / 1e6 };
}

/**
 * Returns a function that chooses the client for a server with this number of store servers. A client that never sleeps needs no waking
 * by the server, but occupies a core. If the stores need that core, the server answers more requests of a sleeping client: on two cores,
 * Janua on Redis and PostgreSQL 11,900 a second in place of 10,100.
 */
export async function startSenders(stack: AsyncDisposableStack) {
  const sleeping = { client: stack.use(startClient()), awake: false };
  const awake = { client: stack.use(startClient()), awake: true };
  await awake.client.ask('yieldToOthers');
  return (storeServers: number) => (availableParallelism() >= 2 + storeServers ? awake : sleeping);
}

/** Milliseconds, and the result of the other work. */
export interface Disturbed<Result> {
  readonly idleP99: number;
  readonly median: number;
  readonly p99: number;
  readonly during: Result;
}

/** Measures the response times of a signed-in user's requests on an idle server, then beside other work, in milliseconds. */
export async function disturb<Result>(
  reader: Client,
  port: number,
  me: Ask,
  { interval, seconds }: { readonly interval: number; readonly seconds: number },
  work: () => Promise<Result>,
): Promise<Disturbed<Result>> {
  const read = () => reader.ask('read', port, me, interval, seconds);
  const idle = await read();
  const [during, times] = await Promise.all([work(), read()]);
  return { idleP99: percentile(idle, 0.99), median: percentile(times, 0.5), p99: percentile(times, 0.99), during };
}

export interface Start {
  /** From the start of the process to the first response. */
  readonly milliseconds: number;
  /** Resident memory after the start, without any load. NaN except on Linux, because only Linux has `/proc`. */
  readonly megabytes: number;
}

/** Milliseconds until a server is at rest. */
const rest = 1500;

/** Starts a server as users start it, and ends it. */
export async function measureStart(command: ServerCommand): Promise<Start> {
  await using server = await startServer(command, false);
  await setTimeout(rest);
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8').catch(() => '');
  const kilobytes = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]);
  return { milliseconds: server.milliseconds, megabytes: (kilobytes * 1024) / 1e6 };
}

export type Runs<Name extends string, Result> = Partial<Record<Name, () => Promise<Result>>>;

/** The results of each run, by round. */
export type Series<Name extends string, Result> = Partial<Record<Name, Result[]>>;

/**
 * Repeats runs. The results of the warm-up round are dropped. Each round starts with another run, because a run affects the caches for the
 * next one.
 * @param what is measured, for the lines on standard error that tell how far the bench is
 */
export async function takeTurns<Name extends string, Result>(
  what: string,
  runs: Runs<Name, Result>,
  rounds: number,
  warmUpRounds: 0 | 1 = 1,
): Promise<Series<Name, Result>> {
  const entries = Object.entries(runs) as [Name, () => Promise<Result>][];
  const results = new Map(entries.map(([name]): [Name, Result[]] => [name, []]));
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    const first = Math.max(0, round) % Math.max(1, entries.length);
    for (const [name, run] of [...entries.slice(first), ...entries.slice(0, first)]) {
      process.stderr.write(`${what}, ${round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`}: ${name}\n`);
      const result = await run();
      if (round >= 0) results.get(name)?.push(result);
    }
  }
  return Object.fromEntries(results) as Series<Name, Result>;
}
