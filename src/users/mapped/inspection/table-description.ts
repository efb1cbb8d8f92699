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
  /** In characters; undefined if there is no limit. */
  readonly maxLength: number | undefined;
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

export interface TableDescription {
  readonly isTable: boolean;
  readonly columns: readonly ColumnDescription[];
  readonly indexes: readonly IndexDescription[];
}
