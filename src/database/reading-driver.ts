import type { Dialect, Driver } from 'kysely';

/**
 * Prepares a statement that only reads, for what many requests ask. It goes past Kysely, which costs more than such a statement, and
 * waits and fails as Kysely's do. Name the columns: PostgreSQL refuses a prepared `*` once a migration has added one.
 */
export type PrepareRead = <Row>(sql: string) => (parameters: readonly string[]) => Promise<readonly Row[]>;

/** Kysely's driver, with a way past Kysely. */
export interface ReadingDriver extends Driver {
  readonly prepareRead: PrepareRead;
}

/** What a database is opened to. */
export interface OpenEngine {
  readonly dialect: Dialect;
  readonly driver: ReadingDriver;
}
