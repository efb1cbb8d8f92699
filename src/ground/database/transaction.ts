import { randomInt } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { createTurns, type TakeTurn } from '../faults/turns.ts';
import type { Database } from './database.ts';
import { wasRolledBack } from './errors.ts';

/**
 * The most tries of a transaction. There are many, because transactions on different nodes of a Galera cluster learn only at the commit
 * that they changed the same row.
 */
const mostTries = 8;

/** Milliseconds. The pause before the second try is at most twice as long. This limit doubles with each further try. */
const longestPause = 5;

/** The steps to run once a transaction is committed (`onCommit`), for each open transaction. */
const afterwards = new WeakMap<Database, (() => unknown)[]>();

/** The most transactions of a process that wait for a row that another transaction of the process has locked. */
export const mostWaitingForRows = 500;

const turnsOf = new WeakMap<Database, TakeTurn>();

/**
 * Runs `work` in a transaction, which makes all of its changes or none.
 * @param database a transaction of `inTransactionOn` makes `work` a part of it: an error must then end all of it
 * @param work may run more than once: a transaction that the server rolled back has changed nothing
 */
export const inTransaction = <Result>(
  database: Database,
  work: (transaction: Database) => Promise<Result>,
): Promise<Result> => (database.isTransaction ? work(database) : afterCommit(() => attempt(database, work)));

export interface Locking {
  /** Names of the rows that the transaction locks, such as the id of an account. */
  readonly rows: readonly string[];
  /**
   * The parties of the transaction, the largest first: the account that acts, and its session. Turns are shared fairly among accounts, and
   * within an account among its sessions (`Work.parties`). Default: the last of `rows`.
   */
  readonly parties?: readonly string[] | undefined;
}

/**
 * Like `inTransaction`, for a transaction that locks rows that many requests may need at the same time. Transactions of this process that
 * lock the same row wait outside the database. A transaction that waits inside holds a connection, and one account could hold them all.
 * @throws {Unavailable} if too many wait
 */
export function inTransactionOn<Result>(
  database: Database,
  { rows, parties = rows.slice(-1) }: Locking,
  work: (transaction: Database) => Promise<Result>,
): Promise<Result> {
  if (database.isTransaction) return work(database);
  const take =
    turnsOf.get(database) ??
    createTurns({ part: 'database', atOnce: Number.POSITIVE_INFINITY, waiting: mostWaitingForRows }).take;
  turnsOf.set(database, take);
  const places = rows.map((key) => ({ key, atOnce: 1 }));
  return afterCommit(() => take({ places, parties }, () => attempt(database, work)));
}

interface Committed<Result> {
  readonly result: Result;
  readonly steps: readonly (() => unknown)[];
}

const attempt = <Result>(
  database: Database,
  work: (transaction: Database) => Promise<Result>,
): Promise<Committed<Result>> =>
  repeated(async () => {
    const steps: (() => unknown)[] = [];
    const result = await database.transaction().execute((transaction) => {
      afterwards.set(transaction, steps);
      return work(transaction);
    });
    return { result, steps };
  });

async function afterCommit<Result>(commit: () => Promise<Committed<Result>>): Promise<Result> {
  const { result, steps } = await commit();
  for (const step of steps) await step();
  return result;
}

/**
 * Adds a step that runs once the transaction is committed. It does not run for a transaction that fails, or for a try that the server
 * rolled back.
 * @param step may return a promise, and the transaction then resolves after it. It must not fail, because the changes are already stored
 * @throws {TypeError} outside a transaction
 */
export function onCommit(transaction: Database, step: () => unknown): void {
  const steps = afterwards.get(transaction);
  if (steps === undefined) throw new TypeError('this is no transaction');
  steps.push(step);
}

/**
 * Repeats work that the server rolled back because of a conflict with other work, such as a deadlock. A random pause makes another conflict
 * unlikely.
 */
export async function repeated<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!wasRolledBack(error) || tries === mostTries) throw error;
      await setTimeout(randomInt(longestPause * 2 ** tries));
    }
  }
}
