import { Unavailable } from '../faults/unavailable.ts';

/** The database's name in responses, logs and `/health/ready`. */
export const databasePart = 'The database';

/** Seconds after which another attempt makes sense. */
const retryAfter = 5;

/** The fault of a database that must be used by one process alone. */
export const inUse = {
  message: 'DATABASE_URL: other processes use the database.',
  fix: 'Stop every server and command that uses it. Then run the same command again.',
} as const;

export const databaseUnavailable = (cause: unknown) => new Unavailable(databasePart, retryAfter, cause);

/** Error codes of the three client libraries: SQLite's result code, MySQL's number, and the SQLSTATE of servers. */
interface DatabaseError {
  readonly errcode?: unknown;
  readonly errno?: unknown;
  readonly sqlState?: unknown;
  readonly code?: unknown;
  readonly message?: string;
}

const codesOf = (error: unknown): DatabaseError => (error instanceof Error ? error : {});

const sqlStateOf = ({ sqlState, code }: DatabaseError): string => String(sqlState ?? code);

export function isDuplicate(error: unknown): boolean {
  const { errcode, errno, code } = codesOf(error);
  return errcode === 1555 || errcode === 2067 || errno === 1062 || code === '23505';
}

/** Tells whether another process holds SQLite's lock. */
export const isBusy = (error: unknown): boolean => primaryCode(codesOf(error)) === 5;

const primaryCode = ({ errcode }: DatabaseError): number => Number(errcode) & 0xff;

/**
 * Tells whether the error means that no row can contain a value: the character set lacks its letters, or the column's type has no such
 * value.
 */
export function isUnrepresentable(error: unknown): boolean {
  const { code } = codesOf(error);
  return isMixOfCharsets(error) || code === '22P05' || code === '22P02' || code === '22003';
}

/**
 * Tells whether MySQL or MariaDB cannot compare two texts, because of their character sets: a column and a value with letters that it
 * cannot store, or two columns.
 */
export function isMixOfCharsets(error: unknown): boolean {
  const { errno } = codesOf(error);
  return errno === 1267 || errno === 1270 || errno === 1271;
}

/** Tells whether PostgreSQL lacks a prepared statement, or has another statement under its name. The statement had no effect. */
export function isLostStatement(error: unknown): boolean {
  const { code } = codesOf(error);
  return code === '26000' || code === '42P05';
}

/** Tells whether PostgreSQL is a replica, or was made read-only. */
export const isReadOnly = (error: unknown): boolean => codesOf(error).code === '25006';

/**
 * MySQL's errors after which another attempt is safe: a row that changed since it was read (1020), and TiDB's conflict of two writes
 * (9007). 1205 (a lock wait that took too long) is not among them. A Galera node that has lost the other nodes returns it for every read, so
 * another attempt on the same connection would fail too. Janua closes the connection, because the next one may lead to another node.
 */
const givenUpByMysql = new Set<unknown>([1020, 9007]);

/** SQLSTATE for a statement that may have been executed. Such a statement is never repeated. */
const unknownCompletion = '40003';

/**
 * Tells whether the server rolled back the statement or its transaction in favor of another one. It may be tried again (SQLSTATE class 40).
 */
export function wasRolledBack(error: unknown): boolean {
  const codes = codesOf(error instanceof Unavailable ? error.cause : error);
  const state = sqlStateOf(codes);
  return (state.startsWith('40') && state !== unknownCompletion) || givenUpByMysql.has(codes.errno);
}

export function isMissingTable(error: unknown): boolean {
  const { errcode, errno, code, message } = codesOf(error);
  return (errcode === 1 && message?.startsWith('no such table')) || errno === 1146 || code === '42P01';
}

/** SQLite's codes for "not now": busy, locked, read-only, I/O error, corrupt, full, cannot open, not a database. */
const notNowInSqlite = new Set([5, 6, 8, 10, 11, 13, 14, 26]);

/**
 * SQLSTATE classes of a wrong statement: cardinality, data, integrity, syntax or access rule, a check, and a trigger's refusal (PostgreSQL,
 * appendix A; ISO/IEC 9075-2; MySQL's SIGNAL). Any other error, also an error without SQLSTATE, means that the server cannot execute the
 * statement now.
 */
const wrongStatement = new Set(['21', '22', '23', '42', '44', '45', 'P0']);

export function classify(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Unavailable) return error;
  const codes = codesOf(error);
  // A mistake in our own code, such as a query after the file was closed.
  if (error instanceof TypeError || codes.code === 'ERR_INVALID_STATE') return error;
  const isWrong =
    codes.errcode === undefined
      ? wrongStatement.has(sqlStateOf(codes).slice(0, 2)) || isUnrepresentable(error)
      : !notNowInSqlite.has(primaryCode(codes));
  return isWrong ? error : databaseUnavailable(error);
}
