import { asServer } from '../../ground/faults/requester.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import type { RecordedEvent } from './event.ts';
import type { AuditStore } from './sql-store.ts';

const batchRows = 100;

/** The most rows that wait at the same time. Further rows are refused, so that a slow store does not hold up requests. */
const waitingRows = 500;

interface Waiting extends PromiseWithResolvers<void> {
  readonly event: RecordedEvent;
}

/** Runs one insert at a time. Events that arrive meanwhile share the next one, so many events need few commits. */
export function createGroupCommit(insert: AuditStore['insert']) {
  const waiting: Waiting[] = [];
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, batchRows);
      try {
        await insert(batch.map(({ event }) => event));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    working = undefined;
  }

  return {
    async add(event: RecordedEvent): Promise<void> {
      if (waiting.length >= waitingRows) throw new Unavailable('The audit', 5);
      const kept = Promise.withResolvers<void>();
      waiting.push({ event, ...kept });
      working ??= asServer(work);
      await kept.promise;
    },
    async settle(): Promise<void> {
      await working;
    },
  };
}
