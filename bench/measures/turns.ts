import type { Effort } from '../options.ts';
import type { LoadTasks } from '../processes/load.ts';
import type { Child } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';

/** Enough to keep a server busy without end, so that it never waits and its CPU time is that of the requests. */
const connections = 16;

/** What is measured against others, and what it gave in each round. */
export interface Subject {
  readonly server: Child<ServerTasks>;
  /** Whole HTTP requests. */
  readonly requests: readonly string[];
  /** Microseconds of the server's CPU for one request. */
  readonly cpu: number[];
  readonly perSecond: number[];
}

export const createSubject = (server: Child<ServerTasks>, requests: readonly string[]): Subject => {
  return { server, requests, cpu: [], perSecond: [] };
};

/**
 * What a request costs the server, in CPU time of its process: unlike requests per second it does not change with what
 * else the machine does.
 */
export async function measureInTurns(
  subjects: readonly Subject[],
  load: Child<LoadTasks>,
  { rounds, warmUpRequests, requests, seconds }: Effort,
): Promise<void> {
  for (const each of subjects) await run(each, load, warmUpRequests, seconds);
  for (const { cpu, perSecond } of subjects) cpu.length = perSecond.length = 0;
  for (let round = 0; round < rounds; round += 1) {
    // Another one is first each time: what a server left behind in the caches is not always the same one's luck.
    const first = round % subjects.length;
    const order = [...subjects.slice(first), ...subjects.slice(0, first)];
    for (const each of order) await run(each, load, requests, seconds);
  }
}

async function run(
  { server, requests, cpu, perSecond }: Subject,
  load: Child<LoadTasks>,
  count: number,
  seconds: number,
): Promise<void> {
  const port = await server.ask('port');
  const before = await server.ask('usage');
  const result = await load.ask('send', { port, requests, connections, count, seconds, awake: true });
  const after = await server.ask('usage');
  cpu.push((after.cpu - before.cpu) / result.answers);
  perSecond.push(result.perSecond);
}
