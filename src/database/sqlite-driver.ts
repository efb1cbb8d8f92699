import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import type { DatabaseConnection, QueryResult } from 'kysely';
import pLimit from 'p-limit';
import type { AccessKind, StoreWatch } from '../faults/store-watch.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { accessOf } from './access.ts';
import { classify, isBusy } from './errors.ts';
import type { ReadingDriver } from './reading-driver.ts';
import type { Patience } from './server-driver.ts';

/** A connection for Kysely. From its first write until its release, no other connection writes. */
interface SqliteConnection extends DatabaseConnection {
  begin(): Promise<void>;
  release(): void;
}

/** Milliseconds to pause while another process writes. The last pause repeats. */
const pauses = [1, 2, 5, 10, 20];

/**
 * Kysely's driver for a SQLite file. Statements are short and run on this thread. Waiting for another process's write does not block
 * the thread, and has a time limit.
 */
export function createSqliteDriver(database: DatabaseSync, patience: Patience, watch: StoreWatch): ReadingDriver {
  const run = createStatements(database);
  const snapshot = createSharedSnapshot(database);
  const oneWriter = pLimit(1);
  let inTransaction = false;

  /** Tries again while another process holds the lock. */
  async function carryOut<T>(kind: AccessKind | 'lock', work: () => T): Promise<T> {
    let deadline: number | undefined;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const result = work();
        // Taking the write lock does not prove that a write works.
        watch.succeeded(kind === 'lock' ? 'read' : kind);
        return result;
      } catch (error) {
        deadline ??= performance.now() + patience.milliseconds;
        if (isBusy(error) && performance.now() < deadline) {
          await setTimeout(pauses[Math.min(attempt, pauses.length - 1)]);
          continue;
        }
        const classified = classify(error);
        if (classified instanceof Unavailable) watch.failed(kind === 'lock' ? 'write' : kind, classified);
        throw classified;
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
    let owns: { release(): void } | undefined;

    async function own(): Promise<void> {
      if (owns !== undefined) return;
      const { promise: owned, resolve: startOwning } = Promise.withResolvers<void>();
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      void oneWriter(async () => {
        startOwning();
        await released;
      });
      await owned;
      owns = { release };
    }

    return {
      async executeQuery<Row>({ sql, parameters }: { sql: string; parameters: readonly unknown[] }) {
        if (owns === undefined && sql.startsWith('select')) return read(() => run<Row>(sql, parameters));
        await own();
        return carryOut(accessOf(sql), () => {
          // The next read must see this write.
          snapshot.end();
          return run<Row>(sql, parameters);
        });
      },

      async begin() {
        await own();
        // Every transaction writes. If it took the lock later, its snapshot could be outdated.
        await carryOut('lock', () => {
          snapshot.end();
          return run('begin immediate', []);
        });
        inTransaction = true;
      },

      release() {
        if (owns !== undefined) inTransaction = false;
        owns?.release();
        owns = undefined;
      },

      async *streamQuery() {
        yield* [];
        throw new TypeError('nothing here streams');
      },
    };
  }

  const runOn = (connection: DatabaseConnection, sql: string) =>
    connection.executeQuery({ sql, parameters: [] } as never);

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
    beginTransaction: (connection) => (connection as SqliteConnection).begin(),
    async commitTransaction(connection) {
      await runOn(connection, 'commit');
    },
    async rollbackTransaction(connection) {
      // SQLite ends some failed transactions by itself, for example on a full disk. A second rollback would hide the first error.
      if (database.isTransaction) await runOn(connection, 'rollback');
    },
    releaseConnection: async (connection) => (connection as SqliteConnection).release(),
    async destroy() {
      snapshot.end();
      database.close();
    },
  };
}

/** Prepares each statement once. */
function createStatements(database: DatabaseSync) {
  const prepared = new Map<string, { statement: StatementSync; returnsRows: boolean }>();

  return <Row>(sql: string, parameters: readonly unknown[]): QueryResult<Row> => {
    let known = prepared.get(sql);
    if (known === undefined) {
      const statement = database.prepare(sql);
      known = { statement, returnsRows: statement.columns().length > 0 };
      prepared.set(sql, known);
    }
    const { statement, returnsRows } = known;
    const values = parameters as SQLInputValue[];
    if (returnsRows) return { rows: statement.all(...values) as Row[] };
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
