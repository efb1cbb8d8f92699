import { setImmediate } from 'node:timers/promises';

/** Lists rows in the order of a key, page by page, so that no step takes long. @param read gives the rows after a key */
export async function* listPages<Row>(
  read: (after: string) => Promise<readonly Row[]>,
  keyOf: (row: Row) => string,
): AsyncGenerator<Row> {
  let after = '';
  for (;;) {
    const rows = await read(after);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield* rows;
    // Reads of SQLite give no other request a turn.
    await setImmediate();
    after = keyOf(last);
  }
}
