import { setImmediate } from 'node:timers/promises';
import { createTurns } from '../faults/turns.ts';

const parts = createTurns({ part: 'The database', atOnce: 1, waiting: Number.POSITIVE_INFINITY, rests: true });

/**
 * Runs a part of long work on the database, such as a page of a list, or the deletion of a batch of rows. This process runs one part at a
 * time, however much long work there is, and rests after each part (`TurnOptions.rests`). The event loop gets a turn before each part,
 * because statements of SQLite are synchronous. A call within `part` would wait forever for its own caller.
 */
export const runPart = <Result>(part: () => Promise<Result>): Promise<Result> =>
  parts.take({ places: [], parties: [] }, async () => {
    await setImmediate();
    return part();
  });
