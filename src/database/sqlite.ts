import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Dialect, SqliteDatabase, SqliteStatement } from 'kysely';
import { Misconfiguration } from '../misconfiguration.ts';
import { Unavailable } from '../unavailable.ts';
import { SqliteDialect } from './kysely.ts';

/** Milliseconds that a statement waits for another process's write; the event loop waits with it. */
const busyTimeout = 250;

/**
 * Opens a SQLite file, made with mode 0600 when it is missing: it holds password hashes (ASVS 14.2.4).
 * Every acknowledged write is on the disk (`synchronous=FULL`): a logout must not come undone with the power.
 * @throws {Misconfiguration} when the file cannot be opened for writing
 */
export function createSqliteDialect(path: string): Dialect {
  const database = openFile(path);
  return new SqliteDialect({ database: adapt(database) });
}

function openFile(path: string): DatabaseSync {
  try {
    if (path !== ':memory:') {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      closeSync(openSync(path, 'a', 0o600));
    }
    const database = new DatabaseSync(path, { timeout: busyTimeout });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;');
    return database;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Misconfiguration(`DATABASE_URL: the file cannot be opened for writing (${reason}).`);
  }
}

/** What Kysely's SQLite dialect expects of a driver, on `node:sqlite`. Statements are prepared once for each text. */
function adapt(database: DatabaseSync): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>();
  const snapshot = createSharedSnapshot(database);
  return {
    close() {
      snapshot.end();
      database.close();
    },
    prepare(sql) {
      if (sql.startsWith('select')) guarded(snapshot.begin);
      else guarded(snapshot.end);
      let statement = prepared.get(sql);
      if (statement === undefined) {
        statement = guarded(() => adaptStatement(database.prepare(sql)));
        if (sql === 'rollback') statement = adaptRollback(database, statement);
        prepared.set(sql, statement);
      }
      return statement;
    },
  };
}

/**
 * One read transaction for all reads of a turn of the event loop: taking and giving back the lock costs more than the read.
 * Whatever is read in a turn was asked for before it began, so that nothing older is seen than without it. A write ends it first.
 */
function createSharedSnapshot(database: DatabaseSync): { begin(): void; end(): void } {
  const begin = database.prepare('begin');
  const commit = database.prepare('commit');
  let open = false;

  function end(): void {
    if (!open) return;
    open = false;
    // SQLite may have ended it by itself, after a fault of the disk; nobody could catch that here.
    if (database.isTransaction) commit.run();
  }

  return {
    begin() {
      if (open || database.isTransaction) return;
      begin.run();
      open = true;
      setImmediate(end);
    },
    end,
  };
}

/** SQLite ends some failed transactions by itself, as with a full disk; ending them again must not hide why they failed. */
function adaptRollback(database: DatabaseSync, statement: SqliteStatement): SqliteStatement {
  const ended = { changes: 0, lastInsertRowid: 0 };
  return { ...statement, run: (parameters) => (database.isTransaction ? statement.run(parameters) : ended) };
}

function adaptStatement(statement: StatementSync): SqliteStatement {
  const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => guarded(() => statement.all(...values(parameters))),
    run: (parameters) => guarded(() => statement.run(...values(parameters))),
    iterate: (parameters) => guarded(() => statement.iterate(...values(parameters))),
  };
}

/** SQLite's primary result codes that mean "not now" and not "wrong": busy, locked, read-only, I/O error, corrupt, full, cannot open, not a database. */
const notNow = new Set([5, 6, 8, 10, 11, 13, 14, 26]);

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
    throw code !== undefined && notNow.has(code) ? new Unavailable('The database', 5, error) : error;
  }
}
