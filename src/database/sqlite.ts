import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Dialect, SqliteDatabase, SqliteStatement } from 'kysely';
import { Misconfiguration } from '../misconfiguration.ts';
import type { AccessKind, StoreWatch } from '../store-watch.ts';
import { Unavailable } from '../unavailable.ts';
import { accessOf } from './access.ts';
import type { OpenDatabase } from './database.ts';
import { classify, databaseUnavailable } from './errors.ts';
import { SqliteAdapter, SqliteDialect } from './kysely.ts';

/** Milliseconds that a statement waits for another process's write; the event loop waits with it. */
const busyTimeout = 250;

/**
 * Opens a SQLite file, made with mode 0600 when it is missing: it holds password hashes (ASVS 14.2.4).
 * Every acknowledged write is on the disk (`synchronous=FULL`): a logout must not come undone with the power.
 * @throws {Misconfiguration} when the file cannot be opened for writing, or must exist and does not
 */
export function openSqlite(
  path: string,
  watch: StoreWatch,
  mustExist: boolean,
): { dialect: Dialect } & Pick<OpenDatabase, 'withPatience' | 'check'> {
  if (mustExist && path !== ':memory:' && !existsSync(path))
    throw new Misconfiguration('DATABASE_URL: there is no such file yet. Run: npx janua migrate');
  const file = openFile(path);
  const opened = identityOf(path);
  const setTimeout = (milliseconds: number) => file.exec(`pragma busy_timeout = ${milliseconds}`);
  const adapter = new SqliteAdapter();
  // SQLite's DDL is transactional, and the write lock that a transaction takes keeps two migrations apart.
  Object.defineProperty(adapter, 'supportsTransactionalDdl', { value: true });
  const dialect = new SqliteDialect({ database: adapt(file, watch) });
  dialect.createAdapter = () => adapter;
  return {
    dialect,
    async withPatience(milliseconds, work) {
      setTimeout(milliseconds);
      await work().finally(() => setTimeout(busyTimeout));
    },
    async check() {
      if (identityOf(path) === opened) return;
      const gone = databaseUnavailable(new Error('the file was removed or replaced while it was open'));
      watch.failed('write', gone);
      throw gone;
    },
  };
}

/** Tells a file from another one that took its place. */
function identityOf(path: string): string | undefined {
  if (path === ':memory:') return undefined;
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}

function openFile(path: string): DatabaseSync {
  try {
    if (path !== ':memory:') {
      makeFolder(dirname(path));
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

/** One folder at a time: Node's own `recursive` never returns where folders cannot be made, as below /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
}

type Guard = ReturnType<typeof createGuard>;

/** What Kysely's SQLite dialect expects of a driver, on `node:sqlite`. Statements are prepared once for each text. */
function adapt(database: DatabaseSync, watch: StoreWatch): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>();
  const snapshot = createSharedSnapshot(database);
  const guarded = createGuard(watch);
  return {
    close() {
      snapshot.end();
      database.close();
    },
    prepare(sql) {
      guarded('read', sql.startsWith('select') ? snapshot.begin : snapshot.end);
      let statement = prepared.get(sql);
      if (statement === undefined) {
        // Whoever begins a transaction is going to write: taking the lock later could find the snapshot outdated.
        const text = sql === 'begin' ? 'begin immediate' : sql;
        const kind = sql === 'begin' ? 'lock' : accessOf(sql);
        statement = guarded('read', () => adaptStatement(database.prepare(text), kind, guarded));
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

function adaptStatement(statement: StatementSync, kind: StatementKind, guarded: Guard): SqliteStatement {
  const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => guarded(kind, () => statement.all(...values(parameters))),
    run: (parameters) => guarded(kind, () => statement.run(...values(parameters))),
    iterate: (parameters) => guarded(kind, () => statement.iterate(...values(parameters))),
  };
}

/** To take the write lock is to try to write, and does not prove yet that something can be written. */
type StatementKind = AccessKind | 'lock';

/** Turns what SQLite cannot do now into `Unavailable`, and keeps the watch informed. */
function createGuard(watch: StoreWatch) {
  return <T>(kind: StatementKind, work: () => T): T => {
    try {
      const result = work();
      watch.succeeded(kind === 'lock' ? 'read' : kind);
      return result;
    } catch (error) {
      const classified = classify(error);
      if (classified instanceof Unavailable) watch.failed(kind === 'lock' ? 'write' : kind, classified);
      throw classified;
    }
  };
}
