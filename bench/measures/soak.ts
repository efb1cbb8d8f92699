import { stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { Statuses } from '../client.ts';
import { januaWith, startClient, startServer } from '../processes.ts';
import { fitTrend, judgeTrend, medianOf } from '../statistics.ts';
import { describeCounts, type Table } from '../table.ts';
import { createWorkspace, password } from '../workspace.ts';

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

/** Most megabytes of the database that SQLite keeps in memory. While the file is smaller, it is all in memory. */
const mostCached = 64;

interface Sample {
  readonly minutes: number;
  readonly statuses: Statuses;
  /** Megabytes. */
  readonly resident: number;
  readonly heap: number;
  readonly database: number;
}

/** Measures memory under a mixed load: right and wrong logins, pages, tokens, logouts, and throttled guesses. */
export async function measureSoak(minutes: number): Promise<Table[]> {
  const { settings, file, usernames } = await createWorkspace(64);
  await using visitors = startClient();
  // Sessions without a logout expire during the run.
  const others = { THROTTLE: 'on', TRUSTED_PROXIES: '127.0.0.1', SESSION_IDLE_SECONDS: '300' };
  await using server = await startServer(januaWith({ ...settings, ...others }));
  const { port } = server;
  const start = performance.now();
  const samples: Sample[] = [];
  async function sample(statuses: Statuses): Promise<void> {
    await setTimeout(quietMilliseconds);
    const { resident, heap } = await server.ask('usageAtRest');
    const { size } = await stat(file);
    const elapsed = (performance.now() - start) / 60_000;
    samples.push({ minutes: elapsed, statuses, resident: resident / 1e6, heap: heap / 1e6, database: size / 1e6 });
  }
  await sample({});
  for (let minute = 0; minute < minutes; minute += 1) {
    const first = minute * visitsPerSecond * loadSeconds;
    const visits = { port, usernames, password, perSecond: visitsPerSecond, seconds: loadSeconds, first };
    await sample(await visitors.ask('visit', visits));
  }
  const [atRest, ...loaded] = samples;
  const lines = samples.map(({ minutes, statuses, resident, heap, database }) => [
    ...[minutes.toFixed(1), `${resident.toFixed(1)} MB`, `${heap.toFixed(2)} MB`, `${database.toFixed(1)} MB`],
    describeCounts(statuses),
  ]);
  const heading = ['minute', 'resident', 'heap', 'database', 'answers'];
  // All resident memory, including the database's pages.
  const times = (loaded.at(-1)?.resident ?? Number.NaN) / (atRest?.resident ?? Number.NaN);
  const verdict = `at most ${mostTimesAtRest}: ${times <= mostTimesAtRest ? 'holds' : 'does not hold'}`;
  const judged = [describeTrend(loaded), ['resident, relative to rest', times.toFixed(2), '', '', verdict]];
  return [{ title: 'Memory under a mixed load', lines: [heading, ...lines, ...judged] }];
}

/** Extrapolates the growth after the warm-up to an hour, for the heap and for resident memory without the database's pages. */
function describeTrend(samples: readonly Sample[]): string[] {
  const warm = samples.slice(Math.ceil(samples.length * warmUpShare));
  const judge = (what: string, measure: (sample: Sample) => number) => {
    const trend = fitTrend(warm.map((sample) => [sample.minutes / 60, measure(sample)]));
    const limit = mostGrowth * medianOf(warm, measure);
    const text = `${trend.slope.toFixed(1)} ± ${trend.standardError.toFixed(1)}`;
    return { text, verdict: `${what} below ${limit.toFixed(1)}: ${judgeTrend(trend, limit)}` };
  };
  const beside = judge('resident', ({ resident, database }) => resident - Math.min(database, mostCached));
  const heap = judge('heap', (sample) => sample.heap);
  const what = 'growth in MB per hour, without the database';
  return [what, beside.text, heap.text, '', `${beside.verdict}; ${heap.verdict}`];
}
