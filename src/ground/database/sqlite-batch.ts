import type { DatabaseSync } from 'node:sqlite';
import type { QueryResult } from 'kysely';

type Run = (sql: string, parameters: readonly unknown[]) => QueryResult<never>;

interface Write extends PromiseWithResolvers<QueryResult<never>> {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/**
 * Single statements of several requests, which wait for the disk once.
 * @param report is told the error of a statement, and gives what its caller gets
 */
export function createBatch(database: DatabaseSync, run: Run, report: (error: unknown) => unknown) {
  const waiting: Write[] = [];
  const begin = database.prepare('begin immediate');
  const commit = database.prepare('commit');
  const rollback = database.prepare('rollback');

  /** Gives how to answer the caller. @throws if the failure ends the transaction, or if there is none */
  function attempt({ sql, parameters, resolve, reject }: Write): () => void {
    try {
      const result = run(sql, parameters);
      return () => resolve(result);
    } catch (error) {
      if (!database.isTransaction) throw error;
      // SQLite has undone this statement only.
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
    /** @returns whether it is the first, so that the caller must see to `take` */
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
        /** Gives how to answer the callers. @throws if nothing was written */
        write: () => (writes.length === 1 ? writes.map(attempt) : writeTogether(writes)),
        fail: (error: unknown) => {
          for (const { reject } of writes) reject(error);
        },
      };
    },
  };
}
