import type { Database } from '../../../database/database.ts';

/** What can be done with a column, whatever the engine calls its type. */
export type ColumnKind = 'integer' | 'text' | 'enum' | 'uuid' | 'boolean' | 'time' | 'other';

export interface ColumnDescription {
  readonly name: string;
  readonly type: string;
  readonly kind: ColumnKind;
  /** Whether `=` ignores case, or the column holds lower case only. */
  readonly ignoresCase: boolean;
}

export interface ColumnRow {
  readonly tabletype: string;
  readonly name: string;
  readonly type: string;
  /** The type without its length. */
  readonly base: string;
}

/** @param kinds each pattern of a type, and what it means; the first one that fits counts */
export function describeColumns<Row extends ColumnRow>(
  rows: readonly Row[],
  kinds: readonly (readonly [RegExp, ColumnKind])[],
  ignoresCase: (row: Row) => boolean,
): ColumnDescription[] {
  return rows.map((row) => {
    const kind = kinds.find(([pattern]) => pattern.test(row.base))?.[1] ?? 'other';
    return { name: row.name, type: row.type, kind, ignoresCase: ignoresCase(row) };
  });
}

/** An index over the whole table, as far as it helps to find one row by one column. */
export interface IndexDescription {
  readonly column: string;
  readonly unique: boolean;
  /** Over the value as it is, over `lower(…)` of it, or with SQLite's NOCASE. */
  readonly form: 'plain' | 'lower' | 'nocase';
}

/** An index by its first part: a column, or the one in `lower(…)`. Any other index does not help. */
export function describeIndex(column: string | null, lowered: string | undefined, unique: boolean): IndexDescription[] {
  if (column !== null) return [{ column, unique, form: 'plain' }];
  return lowered === undefined ? [] : [{ column: lowered, unique, form: 'lower' }];
}

export interface TableDescription {
  readonly isTable: boolean;
  readonly columns: readonly ColumnDescription[];
  readonly indexes: readonly IndexDescription[];
}

export type Inspect = (database: Database, name: string, schema?: string) => Promise<TableDescription | undefined>;
