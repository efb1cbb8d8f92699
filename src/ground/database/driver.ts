import type { Driver } from 'kysely';
import type { AccessKind, StoreWatch } from '../faults/store-watch.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { classify } from './errors.ts';

/** The driver of a database for Kysely. It can also prepare statements that bypass Kysely. */
export interface EngineDriver extends Driver {
  /**
   * Prepares a frequent statement that only reads. It bypasses Kysely, whose overhead exceeds the cost of the statement. Its time limit and
   * its errors are those of Kysely's statements. It must name its columns, because PostgreSQL refuses a prepared `*` once a migration adds
   * a column.
   */
  prepareRead<Row>(sql: string): (parameters: readonly string[]) => Promise<readonly Row[]>;
  /** Tells whether the server, or a pooler such as PgBouncer, has lost a prepared statement. */
  losesStatements?(): boolean;
  /** @throws {Unavailable} when another file has replaced the opened file */
  check?(): void;
}

/** The time limit of one step, such as a statement, in milliseconds. It is raised for migrations, which need more time than requests. */
export interface StepTimeout {
  milliseconds: number;
}

/**
 * The most statements that a connection keeps prepared. The least recently used ones are removed. MySQL and MariaDB allow 16,382 for all
 * connections of all programs, and refuse more.
 */
export const mostPrepared = 100;

/** Returns the kind of a statement. Only a statement that writes proves that the database can be written. */
export function accessOf(sql: string): AccessKind {
  return /^(?:insert|update|delete|commit|create|alter|drop)\b/i.test(sql) ? 'write' : 'read';
}

export function reportFailure(watch: StoreWatch, kind: AccessKind, error: unknown): unknown {
  const classified = classify(error);
  if (classified instanceof Unavailable) watch.failed(kind, classified);
  return classified;
}

/** Kysely requires this function for every connection. None of our queries streams. */
export const streamQuery = (): never => {
  throw new TypeError('queries are not streamed');
};
