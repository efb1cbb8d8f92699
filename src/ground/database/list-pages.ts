import { setImmediate } from 'node:timers/promises';

let lastPart: Promise<unknown> = Promise.resolve();

/**
 * Reads a page of a long list. This process reads one page at a time, however many lists there are. Other requests get a turn before each
 * page, because reads of SQLite never wait. A nested call would wait forever.
 */
export function readPart<Rows>(read: () => Promise<Rows>): Promise<Rows> {
  const part = lastPart.then(() => setImmediate()).then(read);
  lastPart = part.catch(() => {});
  return part;
}

/** Lists rows in the order of a key, page by page, so that no step takes long. @param read returns the rows after a key */
export async function* listPages<Row>(
  read: (after: string) => Promise<readonly Row[]>,
  keyOf: (row: Row) => string,
): AsyncGenerator<Row> {
  let after = '';
  for (;;) {
    const rows = await readPart(() => read(after));
    const last = rows.at(-1);
    if (last === undefined) return;
    yield* rows;
    after = keyOf(last);
  }
}
