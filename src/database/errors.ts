import { Unavailable } from '../faults/unavailable.ts';

/** The database's name in responses, logs and `/health/ready`. */
export const databasePart = 'The database';

/** Seconds until another try makes sense. */
const retryAfter = 5;

export const databaseUnavailable = (cause: unknown) => new Unavailable(databasePart, retryAfter, cause);

/** Error codes of the three client libraries: SQLite's result code, MySQL's number, and the SQLSTATE of servers. */
interface DatabaseError {
  readonly errcode?: unknown;
  readonly errno?: unknown;
  readonly sqlState?: unknown;
  readonly code?: unknown;
}

const isDatabaseError = (error: unknown): error is DatabaseError => error instanceof Error;

/** Two rows with the same key. */
export function isDuplicate(error: unknown): boolean {
  if (!isDatabaseError(error)) return false;
  return error.errcode === 1555 || error.errcode === 2067 || error.errno === 1062 || error.code === '23505';
}

/** Another process holds SQLite's lock. */
export function isBusy(error: unknown): boolean {
  return isDatabaseError(error) && (Number(error.errcode) & 0xff) === 5;
}

/** The character set of the column or database lacks letters of a text. The codes are MySQL's numbers and PostgreSQL's SQLSTATE. */
export function isUnrepresentable(error: unknown): boolean {
  if (!isDatabaseError(error)) return false;
  return error.errno === 1267 || error.errno === 1270 || error.errno === 1271 || error.code === '22P05';
}

/** The server rolled a transaction back in favour of another (SQLSTATE class 40). The transaction may be tried again. */
export function isGivenUp(error: unknown): boolean {
  const cause = error instanceof Unavailable ? error.cause : error;
  return isDatabaseError(cause) && /^40/.test(String(cause.sqlState ?? cause.code));
}

export function isMissingTable(error: unknown): boolean {
  if (!isDatabaseError(error)) return false;
  const missingInSqlite = error.errcode === 1 && /^no such table/.test(String((error as Error).message));
  return missingInSqlite || error.errno === 1146 || error.code === '42P01';
}

/**
 * SQLite's primary result codes for a database that cannot work now: busy, locked, read-only, I/O error, corrupt, full, cannot open,
 * not a database.
 */
const notNowInSqlite = new Set([5, 6, 8, 10, 11, 13, 14, 26]);

/**
 * SQLSTATE classes of a wrong statement: cardinality, data, integrity, syntax or access rule, a check, and a trigger's refusal
 * (PostgreSQL, appendix A; ISO/IEC 9075-2; MySQL's SIGNAL). Any other error, or one without SQLSTATE, means that the server cannot do
 * it now.
 */
const wrongStatement = new Set(['21', '22', '23', '42', '44', '45', 'P0']);

/** Gives the error itself if the statement was wrong, otherwise `Unavailable`. */
export function classify(error: unknown): unknown {
  if (error instanceof Unavailable || !isDatabaseError(error)) return error;
  // Our own mistake, such as a query after the file was closed.
  if (error instanceof TypeError || error.code === 'ERR_INVALID_STATE') return error;
  if (error.errcode !== undefined) {
    return notNowInSqlite.has(Number(error.errcode) & 0xff) ? databaseUnavailable(error) : error;
  }
  const state = typeof error.sqlState === 'string' ? error.sqlState : error.code;
  const isWrong = typeof state === 'string' && /^[0-9A-Z]{5}$/.test(state) && wrongStatement.has(state.slice(0, 2));
  return isWrong || isUnrepresentable(error) ? error : databaseUnavailable(error);
}
