import { randomInt } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Database } from './database.ts';
import { wasRolledBack } from './errors.ts';

/** The number is high, because servers at different nodes of a cluster learn only at the end that they changed the same row. */
const mostTries = 8;

/** In milliseconds. The second try follows within twice this time, and the limit doubles with each further try. */
const longestPause = 5;

/** The steps to run after each open transaction is committed. */
const afterwards = new WeakMap<Database, (() => unknown)[]>();

/** Makes all changes or none. @param work may run more than once: a transaction that the server rolled back has changed nothing */
export const inTransaction = <Result>(
  database: Database,
  work: (transaction: Database) => Promise<Result>,
): Promise<Result> =>
  repeated(async () => {
    const steps: (() => unknown)[] = [];
    const result = await database.transaction().execute((transaction) => {
      afterwards.set(transaction, steps);
      return work(transaction);
    });
    for (const step of steps) await step();
    return result;
  });

/**
 * Adds a step that runs once the transaction is committed. It does not run for a transaction that fails, or for a try that the server
 * rolled back.
 * @param step may return a promise, and the transaction then resolves after it. It must not fail, because the change is made
 * @throws {TypeError} outside a transaction
 */
export function onCommit(transaction: Database, step: () => unknown): void {
  const steps = afterwards.get(transaction);
  if (steps === undefined) throw new TypeError('this is no transaction');
  steps.push(step);
}

/**
 * Repeats work that the server rolled back because it and other work waited for each other. A random pause keeps this from happening again.
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
