import type { RawBuilder } from 'kysely';

/** Changes that a step may make to the tables. Column types are SQL that all three databases understand. */
export interface TableChanges {
  /** Creates the table unless it exists. Keys compare byte by byte. */
  create(table: string, columns: Readonly<Record<string, RawBuilder<unknown>>>): Promise<void>;
  /** Drops the table if it exists. */
  drop(table: string): Promise<void>;
  /** Adds an index to a new table. */
  index(table: string, column: string): Promise<void>;
  /** Adds the column unless it exists. */
  addColumn(table: string, column: string, type: RawBuilder<unknown>): Promise<void>;
}

/**
 * One step of the schema. A released step never changes. MySQL commits each statement by itself, so a step must also complete an
 * earlier run that was interrupted.
 */
export type MigrationStep = (tables: TableChanges) => Promise<void>;
