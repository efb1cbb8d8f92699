import { parseArgs } from 'node:util';
import type { Size } from './population.ts';

/** How much is measured. A count and a number of seconds limit each run. */
export interface Effort {
  readonly rounds: number;
  readonly requests: number;
  readonly logins: number;
  /** Tries for each kind of refused login. */
  readonly tries: number;
  /** Longest duration of one load. */
  readonly seconds: number;
  /** Few users and many, for `--scale` and `--many`. */
  readonly sizes: Readonly<Record<'scale' | 'many', readonly [few: Size, many: Size]>>;
}

/** The tables that an option selects instead of the main table. */
const tables = ['scale', 'many', 'timing', 'load', 'soak', 'workers', 'applications'] as const;

export interface Options {
  readonly help: boolean;
  readonly table: 'main' | (typeof tables)[number];
  readonly effort: Effort;
  /** Leaves the peers out of the main table. */
  readonly withoutPeers: boolean;
  readonly writes: boolean;
  readonly soakMinutes: number;
}

/** With fewer rounds, a median is too uncertain for the page. */
const leastWritten = 3;

export const usageText = `npm run bench -- [options]

Measures Janua beside its peers in about thirteen minutes. It installs the peers into bench/peers if they are missing.
It starts Redis and PostgreSQL itself if they are installed.

  --quick         a short run, to check that the bench works
  --rounds N      rounds of each measurement, 1 to 50 [5; 2 with --quick or --timing]
  --without-peers Janua, a bare Fastify route and argon2 alone
  --write         writes the tables into docs/performance.md; needs the main table, with the peers and at least
                  ${leastWritten} rounds
  --scale         another table: many users, sessions and events compared with few, on each store, with the pages of
                  administrators; needs postgresql, mariadb-server and redis-server, 4 GB of memory and 5 GB of disk
  --many          the same with ten million users beside ten thousand, on PostgreSQL; needs 40 GB of disk and 8 GB of
                  memory, and takes an hour
  --timing        another table: whether refused logins take the same time; a round takes eight minutes
  --load          another table: how 200 concurrent logins affect other requests; a round takes half a minute
  --soak MINUTES  another table: whether memory stays constant under a mixed load, 4 to 600
  --applications  another table: what a sign-in to an application costs, beside the library alone
  --workers       another table: WORKERS=1, 2 and one for each core; Linux only

Servers run on free ports of 127.0.0.1, with databases in a temporary folder. TMPDIR chooses the disk.
`;

const createSize = (users: number, sessions = users, events = 0): Size => ({ users, sessions, events });

const quickEffort: Omit<Effort, 'rounds'> = {
  ...{ requests: 2000, logins: 48, tries: 10, seconds: 1 },
  sizes: {
    scale: [createSize(1_000), createSize(30_000, 100_000, 100_000)],
    many: [createSize(1_000), createSize(10_000)],
  },
};

/** As many users as MySQL's sample database has employees. */
const fullEffort: Omit<Effort, 'rounds'> = {
  ...{ requests: 40_000, logins: 200, tries: 200, seconds: 4 },
  sizes: {
    scale: [createSize(1_000), createSize(300_024, 1_000_000, 1_000_000)],
    many: [createSize(10_000), createSize(10_000_000)],
  },
};

/** @throws {TypeError} for an unknown option or an invalid number */
export function readOptions(args: string[]): Options {
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args,
    options: {
      ...{ help: flag, quick: flag, write: flag, 'without-peers': flag, rounds: { type: 'string' } },
      ...{ scale: flag, many: flag, timing: flag, load: flag, workers: flag, applications: flag },
      soak: { type: 'string' },
    },
  });
  const [table = 'main', another] = tables.filter((name) => values[name]);
  if (another !== undefined)
    throw new TypeError(`--${table} and --${another} select different tables: run the bench once for each.`);
  const rounds = readNumber('rounds', values.rounds, values.quick || table === 'timing' ? 2 : 5, 1, 50);
  const effort = values.quick ? quickEffort : fullEffort;
  const soakMinutes = readNumber('soak', values.soak, 60, 4, 600);
  const { help, write: writes, 'without-peers': withoutPeers } = values;
  if (writes && (table !== 'main' || values.quick || withoutPeers || rounds < leastWritten)) {
    throw new TypeError(`--write needs the whole main table, with ${leastWritten} or more rounds.`);
  }
  return { help, table, effort: { rounds, ...effort }, withoutPeers, writes, soakMinutes };
}

function readNumber(name: string, text: string | undefined, usual: number, least: number, most: number): number {
  const value = text === undefined ? usual : Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new TypeError(`--${name} must be a whole number from ${least} to ${most}.`);
}
