import { inTime } from '../faults/in-time.ts';
import { asServer } from '../faults/requester.ts';
import { Unavailable } from '../faults/unavailable.ts';
import type { Database } from './database.ts';
import { holdLease } from './lease.ts';

export interface LeasedWorkOptions {
  readonly database: Database;
  readonly name: string;
  /** Milliseconds between two checks for work that another process added or that is due again. */
  readonly lookInterval: number;
  readonly hasDue: () => Promise<boolean>;
  /** Does all due work. @param mayGoOn returns false once the work should stop: during a pause, after `close`, or without the lease */
  readonly work: (mayGoOn: () => boolean) => Promise<void>;
  /** Gets the errors of the work, except those of unreachable stores: the watch of the store has logged them. */
  readonly onFault: (error: unknown) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Does the due work of a table: at once when `look` is called, and at intervals. Only the process with the lease does it (`holdLease`). If
 * that process crashes or hangs, the lease expires after 10 seconds, and the next process that looks for work takes over.
 */
export function createLeasedWork({ database, name, lookInterval, hasDue, work, onFault, now }: LeasedWorkOptions) {
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> | undefined;
  /** Whether to check again after the current work. */
  let isAsked = false;
  let isStarted = false;
  let isClosing = false;
  /** The length of the current pause in milliseconds. 0 without a pause. */
  let pause = 0;

  const isHalted = () => isClosing || pause > 0;

  function look(): void {
    if (working !== undefined) isAsked = true;
    else if (isStarted && !isHalted()) working = asServer(run);
  }

  async function run(): Promise<void> {
    clearTimeout(timer);
    do {
      isAsked = false;
      await workOnce().catch((error: unknown) => {
        if (!(error instanceof Unavailable)) onFault(error);
      });
    } while (isAsked && !isHalted());
    working = undefined;
    if (isClosing) return;
    timer = setTimeout(() => {
      pause = 0;
      look();
    }, pause || lookInterval).unref();
  }

  async function workOnce(): Promise<void> {
    if (!(await hasDue())) return;
    await using lease = await holdLease(database, name, now);
    if (lease !== undefined) await work(() => !isHalted() && lease.isHeld());
  }

  return {
    /** Starts checking. Before that, `look` does nothing. */
    start(): void {
      isStarted = true;
      look();
    },
    /** Checks for due work at once. */
    look,
    isPaused: () => pause > 0,
    /** Stops the work for a while. @param milliseconds more than 0 */
    pauseFor(milliseconds: number): void {
      pause = milliseconds;
    },
    /** Resolves when no work is due, the work pauses, or another process does it. */
    async settled(): Promise<void> {
      look();
      while (working !== undefined) await working;
    },
    /**
     * Waits for the current work.
     * @param onLate is called when the work takes longer than `milliseconds`, with a promise that resolves at its end
     */
    async close(milliseconds: number, onLate?: (end: Promise<void>) => Promise<void>): Promise<void> {
      isClosing = true;
      clearTimeout(timer);
      const end = Promise.resolve(working);
      await inTime(end, milliseconds).catch(() => onLate?.(end));
    },
  };
}
