import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { setTimeout, setImmediate as toEndOfTurn } from 'node:timers/promises';
import type { CompiledQuery, QueryResult } from 'kysely';
import type { AccessKind, StoreWatch } from '../faults/store-watch.ts';
import { accessOf, type EngineDriver, mostPrepared, reportFailure, type StepTimeout, streamQuery } from './driver.ts';
import { isBusy } from './errors.ts';
import { createBatch } from './sqlite-batch.ts';

/** Milliseconds to pause while another process writes. The last pause repeats. */
const pauses = [1, 2, 5, 10, 20];

/** Milliseconds for which transactions may follow each other before others have a turn of the event loop. */
const mostInARow = 5;

/** Statements that a transaction with others may hold. */
const isBatched = /^(?:insert|update|delete)\b/;

interface Access {
  readonly kind: AccessKind;
  /** What its success proves to work, if not its kind. */
  readonly proves?: AccessKind;
}

/** Waiting for another process's write does not block the thread, and has a time limit. */
export function createSqliteDriver(database: DatabaseSync, timeout: StepTimeout, watch: StoreWatch): EngineDriver {
  const prepareOnce = createPrepared(database);
  const snapshot = createSharedSnapshot(database);
  let lastWriter: Promise<void> | undefined;
  /** When the transactions began that have followed each other. */
  let rowBegan = 0;
  /** Ends with the transaction of a connection, if there is one. */
  let transaction: Promise<void> | undefined;

  const run = (sql: string, parameters: readonly unknown[]) => prepareOnce(sql)(parameters);
  const batch = createBatch(database, run, (error) => reportFailure(watch, 'write', error));

  async function carryOut<T>({ kind, proves = kind }: Access, work: () => T): Promise<T> {
    let deadline: number | undefined;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const result = work();
        watch.succeeded(proves);
        return result;
      } catch (error) {
        deadline ??= performance.now() + timeout.milliseconds;
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
    if (transaction !== undefined) return transaction.then(() => read(work));
    return carryOut({ kind: 'read' }, () => {
      snapshot.begin();
      return work();
    });
  }

  /** Waits for the writers before. The next one waits until this one ends. */
  async function takeTurn() {
    const earlier = lastWriter;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    lastWriter = ended;
    if (earlier === undefined) rowBegan = performance.now();
    else {
      await earlier;
      // Otherwise many transactions in a row would leave no turn to other requests.
      if (performance.now() - rowBegan > mostInARow) {
        await toEndOfTurn();
        rowBegan = performance.now();
      }
    }
    return {
      ended,
      end() {
        if (lastWriter === ended) lastWriter = undefined;
        resolve();
      },
    };
  }

  /** Writes together what comes until it is this batch's turn, and until the end of a turn of the event loop. */
  async function writeBatch(): Promise<void> {
    const turn = await takeTurn();
    await toEndOfTurn();
    const { write, fail } = batch.take();
    try {
      const answers = await carryOut({ kind: 'write' }, () => {
        // The next read must see these writes.
        snapshot.end();
        return write();
      });
      snapshot.shorten();
      for (const answer of answers) answer();
    } catch (error) {
      fail(error);
    } finally {
      turn.end();
    }
  }

  function writeInBatch(sql: string, parameters: readonly unknown[]): Promise<QueryResult<never>> {
    const { isFirst, done } = batch.add(sql, parameters);
    if (isFirst) writeBatch();
    return done;
  }

  /** A connection for Kysely. From its first write that is no batch's until its release, no other connection writes. */
  function createConnection() {
    let turn: Awaited<ReturnType<typeof takeTurn>> | undefined;

    async function runAsOwner(sql: string, parameters: readonly unknown[], access: Access) {
      turn ??= await takeTurn();
      return carryOut(access, () => {
        // The next read must see this write.
        snapshot.end();
        return run(sql, parameters);
      });
    }

    async function query(sql: string, parameters: readonly unknown[]): Promise<QueryResult<never>> {
      if (turn === undefined && sql.startsWith('select')) return read(() => run(sql, parameters));
      if (turn === undefined && isBatched.test(sql)) return writeInBatch(sql, parameters);
      return runAsOwner(sql, parameters, { kind: accessOf(sql) });
    }

    return {
      query,
      executeQuery: ({ sql, parameters }: CompiledQuery) => query(sql, parameters),

      async begin() {
        // Every transaction writes. If it took the lock later, its snapshot could be outdated. The lock does not prove that a write works.
        await runAsOwner('begin immediate', [], { kind: 'write', proves: 'read' });
        transaction = turn?.ended;
      },

      release() {
        if (turn === undefined) return;
        transaction = undefined;
        turn.end();
      },

      streamQuery,
    };
  }

  type Connection = ReturnType<typeof createConnection>;

  return {
    prepareRead(sql) {
      // Prepared on the first call, because the tables exist by then.
      let find: ReturnType<typeof prepare> | undefined;
      return (parameters) =>
        read(() => {
          find ??= prepare(database, sql);
          return find(parameters).rows;
        });
    },
    async init() {},
    acquireConnection: async () => createConnection(),
    beginTransaction: (connection: Connection) => connection.begin(),
    async commitTransaction({ query }: Connection) {
      await query('commit', []);
    },
    async rollbackTransaction({ query }: Connection) {
      // SQLite ends some failed transactions by itself, for example on a full disk. A second rollback would hide the first error.
      if (database.isTransaction) await query('rollback', []);
    },
    releaseConnection: async (connection: Connection) => connection.release(),
    async destroy() {
      await lastWriter;
      snapshot.end();
      database.close();
    },
  };
}

/** Keeps the statements that were used last. Their texts have no end: lists of ids have many lengths. */
function createPrepared(database: DatabaseSync) {
  const kept = new Map<string, ReturnType<typeof prepare>>();
  return (sql: string) => {
    const run = kept.get(sql) ?? prepare(database, sql);
    kept.delete(sql);
    kept.set(sql, run);
    if (kept.size > mostPrepared) {
      const [oldest = ''] = kept.keys();
      kept.delete(oldest);
    }
    return run;
  };
}

/** Prepares a statement. Builds row objects here, because reading a row object made by Node takes longer than finding the row. */
function prepare(database: DatabaseSync, sql: string) {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  const names = statement.columns().map(({ name }) => name);

  function toRow(values: Record<number, unknown>): never {
    const row: Record<string, unknown> = {};
    for (let index = 0; index < names.length; index += 1) row[names[index] ?? ''] = values[index];
    return row as never;
  }

  return (parameters: readonly unknown[]): QueryResult<never> => {
    const values = parameters as SQLInputValue[];
    if (names.length > 0) return { rows: statement.all(...values).map(toRow) };
    return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) };
  };
}

/**
 * Uses one read transaction for all reads in a turn of the event loop, because the lock costs more than a read: a read takes
 * 2.8 µs in it, and 6.2 without. These reads were requested before the transaction began, so none of them sees older data than it would
 * alone. A write ends the transaction first.
 */
function createSharedSnapshot(database: DatabaseSync): { begin(): void; end(): void; shorten(): void } {
  const begin = database.prepare('begin');
  const commit = database.prepare('commit');
  let open = false;
  let isShort = false;

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
      if (isShort) process.nextTick(end);
      else setImmediate(end);
    },
    end,
    /** Until the next end of a turn: what is begun at the end of one would last for the whole next turn, and be old for its requests. */
    shorten() {
      isShort = true;
      setImmediate(() => {
        isShort = false;
      });
    },
  };
}
