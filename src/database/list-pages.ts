/**
 * Lists rows in the order of a key, page by page. So no step takes long, however many rows there are.
 * @param read gives the next rows, whose keys come after the given one; none at the end
 * @param keyOf gives the key of a row
 */
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
    after = keyOf(last);
  }
}
