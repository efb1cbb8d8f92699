import { Unavailable } from '../faults/unavailable.ts';

/** Most rows of one insert. */
const batchRows = 100;

/** Most rows that wait at the same time. Further rows are refused, so that a slow store does not hold up requests. */
const waitingRows = 500;

export interface GroupCommit<Row> {
  /** Resolves when the row is stored. @throws the error of its insert, or `Unavailable` when too many rows are waiting */
  add(row: Row): Promise<void>;
  /** Resolves when no row is waiting. */
  settle(): Promise<void>;
}

interface Waiting<Row> extends PromiseWithResolvers<void> {
  readonly row: Row;
}

/**
 * Runs one insert at a time, in order. A row is inserted at once if no insert is running. Rows that arrive meanwhile share the next insert,
 * so many concurrent rows need few commits. An insert that fails fails only its own rows.
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
