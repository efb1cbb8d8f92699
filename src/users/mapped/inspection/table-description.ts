import type { Database } from '../../../database/database.ts';

/** What can be done with a column, whatever the engine calls its type. */
export type ColumnKind = 'integer' | 'text' | 'enum' | 'uuid' | 'boolean' | 'time' | 'other';

/** Each pattern of a type's name, and what it means. The first one that fits counts. */
export type ColumnKinds = readonly (readonly [RegExp, ColumnKind])[];

export const kindOf = (kinds: ColumnKinds, type: string): ColumnKind =>
  kinds.find(([pattern]) => pattern.test(type))?.[1] ?? 'other';

export interface ColumnDescription {
  readonly name: string;
  /** As the engine calls it. */
  readonly type: string;
  readonly kind: ColumnKind;
  /** Whether `=` ignores case, or the column holds lower case only. */
  readonly ignoresCase: boolean;
}

/** An index over the whole table, as far as it helps to find one row by one column. */
export interface IndexDescription {
  /** The first column in it. */
  readonly column: string;
  /** Whether it makes the values of that column alone unique. */
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

/** Inspects a table of one engine. Undefined if there is no table of that name. */
export type Inspect = (database: Database, name: string, schema?: string) => Promise<TableDescription | undefined>;
