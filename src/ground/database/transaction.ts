import type { Database } from './database.ts';
import { isGivenUp } from './errors.ts';

const mostTries = 5;

/** All changes or none. @param work may run more than once: a transaction that was given up has changed nothing */
export const inTransaction = <Result>(
  database: Database,
  work: (transaction: Database) => Promise<Result>,
): Promise<Result> => repeated(() => database.transaction().execute(work));

/** Repeats a statement that the server gave up, because it and another one waited for each other. */
export async function repeated<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isGivenUp(error) || tries === mostTries) throw error;
    }
  }
}
