import { inTime } from '../faults/in-time.ts';
import { Unavailable } from '../faults/unavailable.ts';
import type { Database } from './database.ts';
import { holdLease } from './lease.ts';

export interface LeasedWorkOptions {
  readonly database: Database;
  /** The name of the lease. */
  readonly name: string;
  /** Milliseconds between two looks for what another process added, or what is due again. */
  readonly lookInterval: number;
  readonly hasDue: () => Promise<boolean>;
  /** Does all due work. @param mayGoOn false once it should stop: during a pause or the close, or without the lease */
  readonly work: (mayGoOn: () => boolean) => Promise<void>;
  /** Gets the errors of the work, except those of stores that cannot be reached: the watch of the store has logged them. */
  readonly onFault: (error: unknown) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Does what is due in a table, at once when asked and at intervals. Only one of all processes does it at a time. If that process crashes or
 * hangs, another one goes on within 15 seconds.
 */
export function createLeasedWork({ database, name, lookInterval, hasDue, work, onFault, now }: LeasedWorkOptions) {
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> | undefined;
  /** Whether to look again after the present work. */
  let isAsked = false;
  let isStarted = false;
  let isClosing = false;
  /** Set while no work is done, in milliseconds. */
  let pause = 0;

  const isHalted = () => isClosing || pause > 0;

  function look(): void {
    if (working !== undefined) isAsked = true;
    else if (isStarted && !isHalted()) working = run();
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
    /** Begins to look. Earlier calls of `look` do nothing. */
    start(): void {
      isStarted = true;
      look();
    },
    /** Looks for due work at once. */
    look,
    isPaused: () => pause > 0,
    /** Does no work for a while. @param milliseconds more than 0 */
    pauseFor(milliseconds: number): void {
      pause = milliseconds;
    },
    /** Resolves when nothing is due, or the work pauses, or another process does it. */
    async settled(): Promise<void> {
      look();
      while (working !== undefined) await working;
    },
    /** Lets the work under way finish. @param onLate is called with its end when it takes longer than `milliseconds` */
    async close(milliseconds: number, onLate?: (end: Promise<void>) => Promise<void>): Promise<void> {
      isClosing = true;
      clearTimeout(timer);
      const end = Promise.resolve(working);
      await inTime(end, milliseconds).catch(() => onLate?.(end));
    },
  };
}
