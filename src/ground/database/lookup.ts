import type { CompiledQuery } from 'kysely';
import type { EngineDriver } from './driver.ts';
import { isMixOfCharsets, isUnrepresentable } from './errors.ts';

type BuildQuery<Values extends readonly string[], Row> = (...values: Values) => { compile(): CompiledQuery<Row> };

/**
 * Prepares a look-up by a value, or by several, and compiles its query once. Compiling it each time took a sixth of a request's time.
 * @param build makes the query for the values, which must be its only parameters
 * @param column must have exactly the first value: MySQL ignores trailing spaces
 */
export type PrepareLookup = <Row, Values extends readonly string[] = readonly [string]>(
  build: BuildQuery<Values, Row>,
  column?: keyof Row,
) => (...values: Values) => Promise<readonly Row[]>;

export function createPrepareLookup({ prepareRead }: Pick<EngineDriver, 'prepareRead'>): PrepareLookup {
  return <Row, Values extends readonly string[]>(build: BuildQuery<Values, Row>, column?: keyof Row) => {
    // A query may name a value several times: it is compiled with the places of the values.
    const places = Array.from({ length: build.length }, (_, place) => String(place)) as unknown as Values;
    const { sql, parameters } = build(...places).compile();
    const order = parameters.map(Number);
    const read = prepareRead<Row>(sql);
    return async (...values) => {
      // PostgreSQL stores no NUL, and rejects a query with one.
      if (values.some((value) => value.includes('\0'))) return [];
      try {
        const rows = await read(order.map((place) => values[place] as string));
        return column === undefined ? rows : rows.filter((row) => row[column] === values[0]);
      } catch (error) {
        // Every column can hold these letters, so that two columns cannot be compared, as after a change of a team's own table.
        const isOurs = isMixOfCharsets(error) && values.every((value) => /^[ -~]*$/.test(value));
        // No row has that value.
        if (isUnrepresentable(error) && !isOurs) return [];
        throw error;
      }
    };
  };
}
