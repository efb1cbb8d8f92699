import type { Dialect, Driver } from 'kysely';

/**
 * Prepares a frequent statement that only reads. It bypasses Kysely, whose overhead exceeds the cost of the statement. It waits and
 * fails as Kysely's statements do. Name the columns, because PostgreSQL refuses a prepared `*` once a migration adds a column.
 */
export type PrepareRead = <Row>(sql: string) => (parameters: readonly string[]) => Promise<readonly Row[]>;

/** Kysely's driver, with statements that bypass Kysely. */
export interface ReadingDriver extends Driver {
  readonly prepareRead: PrepareRead;
}

/** An opened database. */
export interface OpenEngine {
  readonly dialect: Dialect;
  readonly driver: ReadingDriver;
}
