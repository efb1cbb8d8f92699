import { randomInt } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Database } from './database.ts';
import { isGivenUp } from './errors.ts';

/** Many, because servers at different nodes of a cluster learn only at the end that they changed the same row. */
const mostTries = 8;

/** Milliseconds of the longest pause before the second try is twice this. */
const longestPause = 5;

/** What each open transaction does once it is committed. */
const afterwards = new WeakMap<Database, (() => unknown)[]>();

/** All changes or none. @param work may run more than once: a transaction that was given up has changed nothing */
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
 * Adds a step that runs once the transaction is committed. It never runs for a transaction that fails, or for a try that was given up.
 * @param step may give a promise, for which the end of the transaction waits. It must not fail: the change is made
 * @throws {TypeError} outside a transaction
 */
export function onCommit(transaction: Database, step: () => unknown): void {
  const steps = afterwards.get(transaction);
  if (steps === undefined) throw new TypeError('this is no transaction');
  steps.push(step);
}

/** Repeats what the server gave up, because it and another one waited for each other. The pause keeps them from doing so again. */
export async function repeated<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isGivenUp(error) || tries === mostTries) throw error;
      await setTimeout(randomInt(longestPause * 2 ** tries));
    }
  }
}
