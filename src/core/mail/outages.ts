import type { Database } from '../../ground/database/database.ts';
import { findTime, setTime } from '../../ground/database/times.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';

interface OutageOptions {
  readonly database: Database;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called once the mail server takes mail again. @param since when it began to fail */
  readonly onRecovered?: ((since: number) => void) | undefined;
}

const name = 'mail-failing';

/** Finds when the mail server began to fail, in milliseconds since 1970. 0 or undefined if the last attempt succeeded. */
export const findOutage = (database: Database) => findTime(database, name);

/**
 * Stores when the mail server began to fail. It is in the database, because another process may send by the time the server takes mail
 * again. An unreachable database is ignored.
 */
export function createOutages({ database, now, onRecovered }: OutageOptions) {
  let works: boolean | undefined;

  async function failed(): Promise<void> {
    if (works === false) return;
    if (!(await findOutage(database))) await setTime(database, name, now());
    works = false;
  }

  async function succeeded(): Promise<void> {
    if (works) return;
    const since = await findOutage(database);
    if (since) {
      await setTime(database, name, 0);
      onRecovered?.(since);
    }
    works = true;
  }

  // An error here must not make the sender repeat a mail that was sent.
  const ifReached = (step: Promise<void>) =>
    step.catch((error: unknown) => {
      if (!(error instanceof Unavailable)) throw error;
    });
  return {
    /** Forgets the last result, because another process may have sent since. */
    begin(): void {
      works = undefined;
    },
    failed: () => ifReached(failed()),
    succeeded: () => ifReached(succeeded()),
  };
}
