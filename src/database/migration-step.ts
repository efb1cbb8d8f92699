import type { RawBuilder } from 'kysely';

/** What a step may do to the tables. Column types are SQL that all three databases know. */
export interface TableChanges {
  /** Creates the table unless it is there. Keys compare byte by byte. */
  create(table: string, columns: Readonly<Record<string, RawBuilder<unknown>>>): Promise<void>;
  /** Drops the table if it is there. */
  drop(table: string): Promise<void>;
  /** Adds an index to a new table. */
  index(table: string, column: string): Promise<void>;
  /** Adds the column unless it is there. */
  addColumn(table: string, column: string, type: RawBuilder<unknown>): Promise<void>;
}

/**
 * One step of the schema. A released step is never changed. MySQL commits each statement by itself, so a step must also work where it
 * was cut off before.
 */
export type MigrationStep = (tables: TableChanges) => Promise<void>;
