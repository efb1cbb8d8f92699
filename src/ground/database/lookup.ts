import type { CompiledQuery } from 'kysely';
import type { EngineDriver } from './driver.ts';
import { isMixOfCharsets, isUnrepresentable } from './errors.ts';

type BuildQuery<Values extends readonly string[], Row> = (...values: Values) => { compile(): CompiledQuery<Row> };

/**
 * Prepares a look-up by one or several values, and compiles its query once. Compiling it each time took a sixth of a request's time.
 * @param build makes the query for the values, which must be its only parameters
 * @param column must contain exactly the first value. The rows found are compared again, because MySQL ignores trailing spaces
 */
export type PrepareLookup = <Row, Values extends readonly string[] = readonly [string]>(
  build: BuildQuery<Values, Row>,
  column?: keyof Row,
) => (...values: Values) => Promise<readonly Row[]>;

export function createPrepareLookup({ prepareRead }: Pick<EngineDriver, 'prepareRead'>): PrepareLookup {
  return <Row, Values extends readonly string[]>(build: BuildQuery<Values, Row>, column?: keyof Row) => {
    // The query is compiled with 0, 1, 2 … as the values. The compiled parameters then show the order in which it uses the values, even if
    // it uses one twice.
    const places = Array.from({ length: build.length }, (_, place) => String(place)) as unknown as Values;
    const { sql, parameters } = build(...places).compile();
    const order = parameters.map(Number);
    const read = prepareRead<Row>(sql);
    return findExactly((...values: Values) => read(order.map((place) => values[place] as string)), column);
  };
}

/** Reads no row for a value that no column can store, and only rows whose column contains exactly the first value. */
export const findExactly =
  <Row, Values extends readonly string[]>(read: (...values: Values) => Promise<readonly Row[]>, column?: keyof Row) =>
  async (...values: Values): Promise<readonly Row[]> => {
    // PostgreSQL cannot store a NUL character, and rejects a query with it.
    if (values.some((value) => value.includes('\0'))) return [];
    try {
      const rows = await read(...values);
      return column === undefined ? rows : rows.filter((row) => row[column] === values[0]);
    } catch (error) {
      // Every column can store ASCII. If all values are ASCII, the query compares two columns that do not fit together, for example after
      // a change of a team's own table. That fault must be reported.
      const isOurs = isMixOfCharsets(error) && values.every((value) => /^[ -~]*$/.test(value));
      // If the column cannot store the value, no row has it.
      if (isUnrepresentable(error) && !isOurs) return [];
      throw error;
    }
  };
