import { Unavailable } from '../faults/unavailable.ts';

/** Most rows of one insert. */
const batchRows = 100;

/** Most rows that wait at the same time: nobody is kept waiting for a store that is too slow. */
const waitingRows = 500;

export interface GroupCommit<Row> {
  /** Resolves when the row is kept. @throws whatever its insert fails with, or `Unavailable` when too many are waiting */
  add(row: Row): Promise<void>;
  /** Resolves when nothing is waiting any more. */
  settle(): Promise<void>;
}

interface Waiting<Row> extends PromiseWithResolvers<void> {
  readonly row: Row;
}

/**
 * Inserts one after the other, in order. A row that comes when nothing is under way is inserted at once; those that come
 * meanwhile go together in the next insert, so that many at a time cost few commits. One that fails fails its own rows only.
 */
export function createGroupCommit<Row>(insert: (rows: readonly Row[]) => Promise<void>): GroupCommit<Row> {
  const waiting: Waiting<Row>[] = [];
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, batchRows);
      try {
        await insert(batch.map(({ row }) => row));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    working = undefined;
  }

  return {
    async add(row) {
      if (waiting.length >= waitingRows) throw new Unavailable('The audit', 5);
      const kept = Promise.withResolvers<void>();
      waiting.push({ row, ...kept });
      working ??= work();
      await kept.promise;
    },
    async settle() {
      await working;
    },
  };
}
