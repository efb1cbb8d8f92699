import { parseArgs } from 'node:util';
import type { Size } from './population/population.ts';

/** How much is measured. Every run is bounded by a count and by seconds. */
export interface Effort {
  readonly rounds: number;
  readonly warmUpRequests: number;
  readonly requests: number;
  readonly logins: number;
  readonly starts: number;
  /** Of one load. */
  readonly seconds: number;
  /** Of one storm of logins. */
  readonly stormSeconds: number;
  /** What many users and sessions are. */
  readonly large: Size;
}

export interface Options {
  readonly help: boolean;
  readonly hashing: boolean;
  readonly scale: boolean;
  readonly effort: Effort;
}

export const usageText = `npm run bench -- [options]

  --quick      a short run, to see that it works
  --rounds N   rounds of each measurement, 1 to 50 [5]
  --hashing    another table: how many passwords to hash at the same time
  --scale      another table: many users and sessions against few, on each store; needs postgresql, mariadb-server and
               redis-server, 4 GB of memory and 5 GB of disk

Servers run on free ports of 127.0.0.1, with a database in a temporary folder (TMPDIR chooses the disk).
`;

const quickEffort: Omit<Effort, 'rounds'> = {
  warmUpRequests: 2000,
  requests: 2000,
  logins: 48,
  starts: 2,
  seconds: 5,
  stormSeconds: 2,
  large: { users: 30_000, sessions: 100_000 },
};

/** As many users as MySQL's sample database has employees. */
const fullEffort: Omit<Effort, 'rounds'> = {
  warmUpRequests: 10_000,
  requests: 10_000,
  logins: 200,
  starts: 7,
  seconds: 20,
  stormSeconds: 3,
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
      rounds: { type: 'string' },
    },
  });
  const rounds = values.rounds === undefined ? (values.quick ? 2 : 5) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) throw new TypeError('--rounds is a number from 1 to 50.');
  const effort = values.quick ? quickEffort : fullEffort;
  return { help: values.help, hashing: values.hashing, scale: values.scale, effort: { rounds, ...effort } };
}
