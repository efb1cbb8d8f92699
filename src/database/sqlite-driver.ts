import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import type { DatabaseConnection, QueryResult } from 'kysely';
import pLimit from 'p-limit';
import type { AccessKind, StoreWatch } from '../faults/store-watch.ts';
import { accessOf, type EngineDriver, type Patience, reportFailure, streamQuery } from './driver.ts';
import { isBusy } from './errors.ts';

/** A connection for Kysely. From its first write until its release, no other connection writes. */
interface SqliteConnection extends DatabaseConnection {
  query(sql: string, parameters: readonly unknown[]): Promise<QueryResult<never>>;
  begin(): Promise<void>;
  release(): void;
}

/** Milliseconds to pause while another process writes. The last pause repeats. */
const pauses = [1, 2, 5, 10, 20];

/**
 * Kysely's driver for a SQLite file. Statements are short and run on this thread. Waiting for another process's write does not block
 * the thread, and has a time limit.
 */
export function createSqliteDriver(database: DatabaseSync, patience: Patience, watch: StoreWatch): EngineDriver {
  const run = createStatements(database);
  const snapshot = createSharedSnapshot(database);
  const oneWriter = pLimit(1);
  let inTransaction = false;

  /**
   * Tries again while another process holds the lock.
   * @param proves what its success proves to work
   */
  async function carryOut<T>(kind: AccessKind, work: () => T, proves = kind): Promise<T> {
    let deadline: number | undefined;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const result = work();
        watch.succeeded(proves);
        return result;
      } catch (error) {
        deadline ??= performance.now() + patience.milliseconds;
        if (isBusy(error) && performance.now() < deadline) {
          await setTimeout(pauses[Math.min(attempt, pauses.length - 1)]);
          continue;
        }
        throw reportFailure(watch, kind, error);
      }
    }
  }

  function read<T>(work: () => T): Promise<T> {
    // Other connections wait until the transaction ends, because it may roll back.
    if (inTransaction) return oneWriter(async () => {}).then(() => read(work));
    return carryOut('read', () => {
      snapshot.begin();
      return work();
    });
  }

  function createConnection(): SqliteConnection {
    /** Set while no other connection may write. */
    let ownership: PromiseWithResolvers<void> | undefined;

    async function own(): Promise<void> {
      if (ownership !== undefined) return;
      const owned = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      void oneWriter(() => {
        owned.resolve();
        return released.promise;
      });
      await owned.promise;
      ownership = released;
    }

    function runAsOwner(sql: string, parameters: readonly unknown[]): QueryResult<never> {
      // The next read must see this write.
      snapshot.end();
      return run(sql, parameters);
    }

    async function query(sql: string, parameters: readonly unknown[]): Promise<QueryResult<never>> {
      if (ownership === undefined && sql.startsWith('select')) return read(() => run(sql, parameters));
      await own();
      return carryOut(accessOf(sql), () => runAsOwner(sql, parameters));
    }

    return {
      query,
      executeQuery: ({ sql, parameters }) => query(sql, parameters),

      async begin() {
        await own();
        // Every transaction writes. If it took the lock later, its snapshot could be outdated. The lock does not prove that a write works.
        await carryOut('write', () => runAsOwner('begin immediate', []), 'read');
        inTransaction = true;
      },

      release() {
        if (ownership === undefined) return;
        inTransaction = false;
        ownership.resolve();
      },

      streamQuery,
    };
  }

  return {
    prepareRead(sql) {
      // Prepared on the first call, because the tables exist by then.
      let find: ReturnType<typeof prepareRows> | undefined;
      return (parameters) =>
        read(() => {
          find ??= prepareRows(database, sql);
          return find(parameters) as never[];
        });
    },
    async init() {},
    acquireConnection: async () => createConnection(),
    beginTransaction: (connection: SqliteConnection) => connection.begin(),
    async commitTransaction({ query }: SqliteConnection) {
      await query('commit', []);
    },
    async rollbackTransaction({ query }: SqliteConnection) {
      // SQLite ends some failed transactions by itself, for example on a full disk. A second rollback would hide the first error.
      if (database.isTransaction) await query('rollback', []);
    },
    releaseConnection: async (connection: SqliteConnection) => connection.release(),
    async destroy() {
      snapshot.end();
      database.close();
    },
  };
}

/** Prepares each statement once. */
function createStatements(database: DatabaseSync) {
  const prepared = new Map<string, { statement: StatementSync; returnsRows: boolean }>();

  return (sql: string, parameters: readonly unknown[]): QueryResult<never> => {
    let known = prepared.get(sql);
    if (known === undefined) {
      const statement = database.prepare(sql);
      known = { statement, returnsRows: statement.columns().length > 0 };
      prepared.set(sql, known);
    }
    const { statement, returnsRows } = known;
    const values = parameters as SQLInputValue[];
    if (returnsRows) return { rows: statement.all(...values) as never[] };
    return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) };
  };
}

/** Builds row objects here, because reading a row object made by Node takes longer than finding the row. */
function prepareRows(database: DatabaseSync, sql: string) {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  const names = statement.columns().map(({ name }) => name);
  return (parameters: readonly string[]) =>
    statement.all(...parameters).map((values) => {
      const row: Record<string, unknown> = {};
      for (let index = 0; index < names.length; index += 1) row[names[index] ?? ''] = values[index];
      return row;
    });
}

/**
 * Uses one read transaction for all reads in a turn of the event loop, because the lock costs more than a read. These reads were
 * requested before the transaction began, so none of them sees older data than it would alone. A write ends the transaction first.
 */
function createSharedSnapshot(database: DatabaseSync): { begin(): void; end(): void } {
  const begin = database.prepare('begin');
  const commit = database.prepare('commit');
  let open = false;

  function end(): void {
    if (!open) return;
    open = false;
    // After some disk errors SQLite ends the transaction by itself. A commit would then throw where no caller can catch it.
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
