import { parseArgs } from 'node:util';
import type { Size } from './population/population.ts';

/** How much is measured. A count and a number of seconds limit each run. */
export interface Effort {
  readonly rounds: number;
  readonly requests: number;
  readonly logins: number;
  /** Tries for each kind of refused login. */
  readonly tries: number;
  readonly starts: number;
  /** Longest duration of one load. */
  readonly seconds: number;
  /** Duration of one storm: 8 clients that log in. */
  readonly stormSeconds: number;
  /** Duration of one rush: 200 clients that log in. */
  readonly rushSeconds: number;
  /** The larger size of `--scale`, and the size of `--admin`. */
  readonly large: Required<Size>;
  /** Numbers of users of `--many`. */
  readonly crowds: { readonly few: number; readonly many: number };
}

/** The tables that an option selects instead of the main table. */
const tables = [
  'scale',
  'many',
  'timing',
  'load',
  'soak',
  'workers',
  'admin',
  'applications',
  'authorizations',
] as const;

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
  --scale         another table: many users and sessions compared with few, on each store; needs postgresql, mariadb-server
                  and redis-server, 4 GB of memory and 5 GB of disk
  --many          another table: ten million users beside ten thousand, on PostgreSQL; needs 40 GB of disk and 8 GB of memory, and
                  takes an hour
  --timing        another table: whether refused logins take the same time; a round takes eight minutes
  --load          another table: how 200 concurrent logins affect other requests; a round takes half a minute
  --soak MINUTES  another table: whether memory stays constant under a mixed load, 4 to 600
  --admin         another table: the pages of administrators with many users, sessions and events, on each store; needs the
                  same as --scale
  --applications  another table: what a sign-in to an application costs, beside the library alone
  --authorizations  other tables: 200 sign-ins to an application a second for a minute, and 100,000 that are abandoned
  --workers       another table: WORKERS=1, 2 and one for each core; Linux only

Servers run on free ports of 127.0.0.1, with databases in a temporary folder. TMPDIR chooses the disk.
`;

const quickEffort: Omit<Effort, 'rounds'> = {
  requests: 2000,
  logins: 48,
  tries: 10,
  starts: 1,
  seconds: 1,
  stormSeconds: 1,
  rushSeconds: 3,
  large: { users: 30_000, sessions: 100_000, events: 100_000 },
  crowds: { few: 1_000, many: 10_000 },
};

/** As many users as MySQL's sample database has employees. */
const fullEffort: Omit<Effort, 'rounds'> = {
  requests: 40_000,
  logins: 200,
  tries: 200,
  starts: 5,
  seconds: 4,
  stormSeconds: 3,
  rushSeconds: 8,
  large: { users: 300_024, sessions: 1_000_000, events: 1_000_000 },
  crowds: { few: 10_000, many: 10_000_000 },
};

/** @throws {TypeError} for an unknown option or an invalid number */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      scale: { type: 'boolean', default: false },
      many: { type: 'boolean', default: false },
      timing: { type: 'boolean', default: false },
      load: { type: 'boolean', default: false },
      admin: { type: 'boolean', default: false },
      applications: { type: 'boolean', default: false },
      authorizations: { type: 'boolean', default: false },
      workers: { type: 'boolean', default: false },
      soak: { type: 'string' },
      'without-peers': { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      rounds: { type: 'string' },
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
