import { parseArgs } from 'node:util';

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
}

export interface Options {
  readonly help: boolean;
  readonly hashing: boolean;
  readonly effort: Effort;
}

export const usageText = `npm run bench -- [options]

  --quick      a short run, to see that it works
  --rounds N   rounds of each measurement, 1 to 50 [5]
  --hashing    another table: how many passwords to hash at the same time

Servers run on free ports of 127.0.0.1, with a database in a temporary folder (TMPDIR chooses the disk).
`;

/** @throws {TypeError} for an option that there is not, or a bad number */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      hashing: { type: 'boolean', default: false },
      rounds: { type: 'string' },
    },
  });
  const rounds = values.rounds === undefined ? (values.quick ? 2 : 5) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) throw new TypeError('--rounds is a number from 1 to 50.');
  const effort = values.quick
    ? { warmUpRequests: 2000, requests: 2000, logins: 48, starts: 2, seconds: 5, stormSeconds: 2 }
    : { warmUpRequests: 10_000, requests: 10_000, logins: 200, starts: 7, seconds: 20, stormSeconds: 3 };
  return { help: values.help, hashing: values.hashing, effort: { rounds, ...effort } };
}
