import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { setTimeout, setImmediate as toEndOfTurn } from 'node:timers/promises';
import type { CompiledQuery, QueryResult } from 'kysely';
import type { AccessKind, StoreWatch } from '../faults/store-watch.ts';
import { accessOf, type EngineDriver, mostPrepared, reportFailure, type StepTimeout, streamQuery } from './driver.ts';
import { isBusy } from './errors.ts';
import { createBatch } from './sqlite-batch.ts';

/** Milliseconds to pause while another process writes. The last pause repeats. */
const pauses = [1, 2, 5, 10, 20];

/** Milliseconds for which transactions may follow each other before other requests get a turn of the event loop. */
const mostInARow = 5;

/** Matches statements that may share a transaction with statements of other requests. */
const isBatched = /^(?:insert|update|delete)\b/;

interface Access {
  readonly kind: AccessKind;
  /** The kind of access that certainly works if this access succeeds. Default: `kind`. */
  readonly proves?: AccessKind;
}

/** Creates the driver of SQLite. Waiting for another process's write does not block the thread, and has a time limit. */
export function createSqliteDriver(database: DatabaseSync, timeout: StepTimeout, watch: StoreWatch): EngineDriver {
  const prepareOnce = createPrepared(database);
  const snapshot = createSharedSnapshot(database);
  let lastWriter: Promise<void> | undefined;
  /** When the first of the transactions in this turn of the event loop began, by `performance.now()`. Undefined before the first. */
  let rowBegan: number | undefined;
  /** Resolves when the transaction of a connection ends. Undefined without a transaction. */
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
    // Reads of other requests wait until the transaction ends. All requests share one SQLite connection, so they would see changes that may
    // be rolled back.
    if (transaction !== undefined) return transaction.then(() => read(work));
    return carryOut({ kind: 'read' }, () => {
      snapshot.begin();
      return work();
    });
  }

  /** Waits for the earlier writers. The next writer waits until this one ends. */
  async function takeTurn() {
    const earlier = lastWriter;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    lastWriter = ended;
    await earlier;
    // Without this pause, many consecutive transactions would leave no turn of the event loop to other requests. Waiting for `earlier` is
    // not enough: transactions of one account start one by one, so each finds no earlier writer.
    if (rowBegan !== undefined && performance.now() - rowBegan > mostInARow) await toEndOfTurn();
    if (rowBegan === undefined) {
      rowBegan = performance.now();
      toEndOfTurn().then(() => {
        rowBegan = undefined;
      });
    }
    return {
      ended,
      end() {
        if (lastWriter === ended) lastWriter = undefined;
        resolve();
      },
    };
  }

  /** Collects statements until the earlier writers have finished and the current turn of the event loop ends. Then writes them together. */
  async function writeBatch(): Promise<void> {
    const turn = await takeTurn();
    await toEndOfTurn();
    const { write, fail } = batch.take();
    try {
      const answers = await carryOut({ kind: 'write' }, () => {
        // Ends the shared snapshot, because the next read must see these writes.
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

  /** Creates a connection for Kysely. From its first write outside a batch until its release, no other connection writes. */
  function createConnection() {
    let turn: Awaited<ReturnType<typeof takeTurn>> | undefined;

    async function runAsOwner(sql: string, parameters: readonly unknown[], access: Access) {
      turn ??= await takeTurn();
      return carryOut(access, () => {
        // Ends the shared snapshot, because the next read must see this write.
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
        // Takes the write lock at once, because every transaction writes. Without `immediate`, another process might write between the
        // first read and the first write, and SQLite would then refuse the write. The lock alone does not prove that a write works.
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
      // Prepared on the first call, because the tables may not exist before.
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

/**
 * Keeps the prepared statements that were used last. Their number is limited, because each length of a list of ids needs another statement.
 */
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
 * Uses one read transaction for all reads in a turn of the event loop, because the lock costs more than a read: a read takes 2.8 µs in the
 * transaction, and 6.2 µs alone. The requests behind these reads arrived before the transaction began, so no read sees data that is older
 * than its request. A write ends the transaction first.
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
    /**
     * Makes read transactions end at the next tick, until the next turn of the event loop begins. This is called at the end of a turn
     * (`setImmediate`): a read transaction that begins there would last for the whole next turn, and its data would be too old for the
     * requests of that turn.
     */
    shorten() {
      isShort = true;
      setImmediate(() => {
        isShort = false;
      });
    },
  };
}
