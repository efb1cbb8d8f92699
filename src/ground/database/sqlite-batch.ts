import type { DatabaseSync } from 'node:sqlite';
import type { QueryResult } from 'kysely';

type Run = (sql: string, parameters: readonly unknown[]) => QueryResult<never>;

interface Write extends PromiseWithResolvers<QueryResult<never>> {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/**
 * Combines single statements of several requests into one transaction, so that they wait for the disk only once.
 * @param report converts the error of a statement into the error for its caller
 */
export function createBatch(database: DatabaseSync, run: Run, report: (error: unknown) => unknown) {
  const waiting: Write[] = [];
  const begin = database.prepare('begin immediate');
  const commit = database.prepare('commit');
  const rollback = database.prepare('rollback');

  /**
   * Runs a statement. Returns a function that settles the caller's promise.
   * @throws if the failure has ended the transaction, or if there is no transaction
   */
  function attempt({ sql, parameters, resolve, reject }: Write): () => void {
    try {
      const result = run(sql, parameters);
      return () => resolve(result);
    } catch (error) {
      if (!database.isTransaction) throw error;
      // SQLite has rolled back only this statement. The transaction goes on.
      return () => reject(report(error));
    }
  }

  function writeTogether(writes: readonly Write[]): (() => void)[] {
    begin.run();
    try {
      const answers = writes.map(attempt);
      commit.run();
      return answers;
    } catch (error) {
      if (database.isTransaction) rollback.run();
      throw error;
    }
  }

  return {
    /** @returns the result, and whether the statement is the first of a batch. Its caller must then make sure that `take` is called */
    add(
      sql: string,
      parameters: readonly unknown[],
    ): { readonly isFirst: boolean; readonly done: Promise<QueryResult<never>> } {
      const promised = Promise.withResolvers<QueryResult<never>>();
      return { isFirst: waiting.push({ sql, parameters, ...promised }) === 1, done: promised.promise };
    },
    take() {
      const writes = waiting.splice(0);
      return {
        /** Returns functions that settle the callers' promises. @throws if no statement was written */
        write: () => (writes.length === 1 ? writes.map(attempt) : writeTogether(writes)),
        fail: (error: unknown) => {
          for (const { reject } of writes) reject(error);
        },
      };
    },
  };
}
