import { setImmediate } from 'node:timers/promises';
import { createTurns } from '../faults/turns.ts';

const parts = createTurns({ part: 'The list', atOnce: 1, waiting: Number.POSITIVE_INFINITY, rests: true });

/**
 * Reads a page of a long list. This process reads one page at a time, however many lists there are, and rests after each page
 * (`TurnOptions.rests`). The event loop gets a turn before each page, because reads of SQLite are synchronous. A call within `read` would
 * wait forever for its own caller.
 */
export const readPart = <Rows>(read: () => Promise<Rows>): Promise<Rows> =>
  parts.take({ places: [], parties: [] }, async () => {
    await setImmediate();
    return read();
  });

/** Lists rows in the order of a key, a page at a time, so that no step takes long. @param read returns the rows after a key */
export async function* listParts<Row, Key>(
  read: (after: Key | undefined) => Promise<readonly Row[]>,
  keyOf: (row: Row) => Key,
): AsyncGenerator<readonly Row[]> {
  let after: Key | undefined;
  for (;;) {
    const rows = await readPart(() => read(after));
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    after = keyOf(last);
  }
}

/** Lists rows as `listParts` does, one by one. */
export async function* listPages<Row>(
  read: (after: string) => Promise<readonly Row[]>,
  keyOf: (row: Row) => string,
): AsyncGenerator<Row> {
  for await (const rows of listParts((after = '') => read(after), keyOf)) yield* rows;
}
