import { stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import type { Statuses, VisitorsTasks } from '../processes/visitors.ts';
import { fitTrend, summarize } from '../statistics.ts';
import { judgeTrend } from '../verdict.ts';
import { createWorkspace } from '../workspace.ts';

const users = 64;

/** A light load: a visit has about ten requests. */
const visitsPerSecond = 4;

/** Seconds of load in each minute. The rest is quiet, so that Node can release memory. */
const loadSeconds = 55;
const quietMilliseconds = 4000;

/** The share of the samples that counts as warm-up. */
const warmUpShare = 1 / 3;

/** Memory counts as constant if it grows by less than this share in an hour. */
const mostGrowth = 0.1;

/** Largest resident memory after the load, relative to that before it. */
const mostTimesAtRest = 1.2;

interface Sample {
  readonly minutes: number;
  readonly statuses: Statuses;
  /** Megabytes. */
  readonly resident: number;
  readonly heap: number;
  readonly database: number;
}

/** Most megabytes of the database that SQLite keeps in memory. While the file is smaller, it is all in memory. */
const mostCached = 64;

/** Measures memory under a mixed load: right and wrong logins, pages, tokens, logouts, and throttled guesses. */
export async function measureSoak(minutes: number): Promise<string[][]> {
  const { settings, password } = await createWorkspace(users);
  await using visitors = startChild<VisitorsTasks>('./visitors.ts');
  await using server = startChild<ServerTasks>('./janua.ts', {
    ...settings,
    THROTTLE: 'on',
    TRUSTED_PROXIES: '127.0.0.1',
    // Sessions without a logout expire during the run.
    SESSION_IDLE_SECONDS: '300',
  });
  const port = await server.ask('port');
  const file = settings.DATABASE_URL?.slice('sqlite:'.length) ?? '';
  const usernames = Array.from({ length: users }, (_, index) => `user${index}@example.com`);
  const start = performance.now();
  const sample = async (statuses: Statuses): Promise<Sample> => {
    const { resident, heap } = await server.ask('usageAtRest');
    const { size } = await stat(file);
    const elapsed = (performance.now() - start) / 60_000;
    return { minutes: elapsed, statuses, resident: resident / 1e6, heap: heap / 1e6, database: size / 1e6 };
  };
  await setTimeout(quietMilliseconds);
  const atRest = await sample({});
  const samples: Sample[] = [];
  for (let minute = 0; minute < minutes; minute += 1) {
    const first = minute * visitsPerSecond * loadSeconds;
    const visits = { port, usernames, password, perSecond: visitsPerSecond, seconds: loadSeconds, first };
    const statuses = await visitors.ask('visit', visits);
    await setTimeout(quietMilliseconds);
    samples.push(await sample(statuses));
  }
  return [
    ['minute', 'resident', 'heap', 'database', 'answers'],
    ...[atRest, ...samples].map(({ minutes, statuses, resident, heap, database }) => [
      minutes.toFixed(1),
      `${resident.toFixed(1)} MB`,
      `${heap.toFixed(2)} MB`,
      `${database.toFixed(1)} MB`,
      describeStatuses(statuses),
    ]),
    describeTrend(samples),
    describeGrowth(atRest, samples.at(-1)),
  ];
}

function describeStatuses(statuses: Statuses): string {
  return Object.entries(statuses)
    .map(([status, count]) => `${status}: ${count}`)
    .join(', ');
}

/** Extrapolates the growth after the warm-up to an hour, for the heap and for resident memory without the database's pages. */
function describeTrend(samples: readonly Sample[]): string[] {
  const warm = samples.slice(Math.ceil(samples.length * warmUpShare));
  const judge = (what: string, measure: (sample: Sample) => number) => {
    const trend = fitTrend(warm.map((sample) => [sample.minutes / 60, measure(sample)]));
    const limit = mostGrowth * summarize(warm.map(measure)).median;
    const { slope, standardError } = trend;
    const text = `${slope.toFixed(1)} ± ${standardError.toFixed(1)}`;
    return { text, verdict: `${what} below ${limit.toFixed(1)}: ${judgeTrend(trend, limit)}` };
  };
  const beside = judge('resident', ({ resident, database }) => resident - Math.min(database, mostCached));
  const heap = judge('heap', (sample) => sample.heap);
  return [
    'growth in MB per hour, without the database',
    beside.text,
    heap.text,
    '',
    `${beside.verdict}; ${heap.verdict}`,
  ];
}

/** Compares all resident memory, including the database's pages. */
function describeGrowth(atRest: Sample, last: Sample | undefined): string[] {
  const times = (last?.resident ?? Number.NaN) / atRest.resident;
  const verdict = `at most ${mostTimesAtRest}: ${times <= mostTimesAtRest ? 'holds' : 'does not hold'}`;
  return ['resident, relative to rest', times.toFixed(2), '', '', verdict];
}
