import { runPart } from './long-work.ts';

/** Lists rows in the order of a key, a page at a time, so that no step takes long. @param read returns the rows after a key */
export async function* listParts<Row, Key>(
  read: (after: Key | undefined) => Promise<readonly Row[]>,
  keyOf: (row: Row) => Key,
): AsyncGenerator<readonly Row[]> {
  let after: Key | undefined;
  for (;;) {
    const rows = await runPart(() => read(after));
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
