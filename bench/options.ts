import { parseArgs } from 'node:util';
import type { Size } from './population/population.ts';

/** How much is measured. Every run is bounded by a count and by seconds. */
export interface Effort {
  readonly rounds: number;
  readonly requests: number;
  readonly logins: number;
  /** Of each kind of login that is refused. */
  readonly tries: number;
  readonly starts: number;
  /** Of one load. */
  readonly seconds: number;
  /** Of one storm of logins. */
  readonly stormSeconds: number;
  /** Of one storm of all at once. */
  readonly rushSeconds: number;
  /** What many users and sessions are. */
  readonly large: Size;
}

/** What is measured instead of what `npm run bench` measures by itself. */
const tables = ['hashing', 'scale', 'timing', 'load', 'soak', 'workers'] as const;

export interface Options {
  readonly help: boolean;
  readonly table: 'main' | (typeof tables)[number];
  readonly effort: Effort;
  /** Of the main table. */
  readonly withoutPeers: boolean;
  readonly writes: boolean;
  readonly soakMinutes: number;
}

/** Rounds below which a median says too little to be written down. */
const leastWritten = 3;

export const usageText = `npm run bench -- [options]

Measures Janua beside its peers. These are installed into bench/peers first, where they are not yet. Redis and PostgreSQL
are started where they are installed: nothing has to run. It takes some thirteen minutes.

  --quick         a short run, to see that it works
  --rounds N      rounds of each measurement, 1 to 50 [5; 2 with --quick and of --timing]
  --without-peers Janua, a bare Fastify route and argon2 alone
  --write         puts tables and picture into docs/performance.md; not with --quick, nor with less than ${leastWritten} rounds
  --hashing       another table: how many passwords to hash at the same time
  --scale         another table: many users and sessions against few, on each store; needs postgresql, mariadb-server
                  and redis-server, 4 GB of memory and 5 GB of disk
  --timing        another table: whether refused logins take the same time; a round takes eight minutes
  --load          another table: what others notice of 200 who log in at once; a round takes half a minute
  --soak MINUTES  another table: whether memory stays the same under a mixed load, 4 to 600
  --workers       another table: WORKERS=1, 2 and as many as there are cores; Linux only

Servers run on free ports of 127.0.0.1, with a database in a temporary folder (TMPDIR chooses the disk).
`;

const quickEffort: Omit<Effort, 'rounds'> = {
  requests: 2000,
  logins: 48,
  tries: 10,
  starts: 1,
  seconds: 1,
  stormSeconds: 1,
  rushSeconds: 3,
  large: { users: 30_000, sessions: 100_000 },
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
  large: { users: 300_024, sessions: 1_000_000 },
};

/** @throws {TypeError} for an option that there is not, or a bad number */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      hashing: { type: 'boolean', default: false },
      scale: { type: 'boolean', default: false },
      timing: { type: 'boolean', default: false },
      load: { type: 'boolean', default: false },
      workers: { type: 'boolean', default: false },
      soak: { type: 'string' },
      'without-peers': { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      rounds: { type: 'string' },
    },
  });
  const [table = 'main', another] = tables.filter((name) => values[name]);
  if (another !== undefined) throw new TypeError(`--${table} and --${another} are two runs.`);
  const rounds = readNumber('rounds', values.rounds, values.quick || table === 'timing' ? 2 : 5, 1, 50);
  const effort = values.quick ? quickEffort : fullEffort;
  const soakMinutes = readNumber('soak', values.soak, 60, 4, 600);
  const { help, write: writes, 'without-peers': withoutPeers } = values;
  if (writes && (table !== 'main' || values.quick || withoutPeers || rounds < leastWritten)) {
    throw new TypeError(`--write is for the main table as a whole, of ${leastWritten} rounds or more.`);
  }
  return { help, table, effort: { rounds, ...effort }, withoutPeers, writes, soakMinutes };
}

function readNumber(name: string, text: string | undefined, usual: number, least: number, most: number): number {
  const value = text === undefined ? usual : Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new TypeError(`--${name} is a number from ${least} to ${most}.`);
}
