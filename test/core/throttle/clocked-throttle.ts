import assert from 'node:assert/strict';
import type { FailureStore } from '../../../src/core/throttle/store.ts';
import { createThrottle, type Limits } from '../../../src/core/throttle/throttle.ts';
import { createTurns } from '../../../src/ground/faults/turns.ts';
import { createMemoryFailureStore } from './memory-store.ts';

interface Options<Kind extends string, Attempt> {
  readonly limitsOf: (attempt: Attempt) => Limits<Kind>;
  /** The attempt that a test starts from. Each call may change parts of it. */
  readonly usual: Attempt;
  readonly store?: FailureStore | undefined;
  readonly waiting?: number | undefined;
}

/** A throttle whose clock moves only when a test moves it. */
export function createClockedThrottle<Kind extends string, Attempt>(options: Options<Kind, Attempt>) {
  const { limitsOf, usual, store = createMemoryFailureStore(), waiting = 100 } = options;
  let time = Date.UTC(2026, 0, 1);
  let checks = 0;
  const { take: takeTurn } = createTurns({ part: 'The work', atOnce: 100, waiting });
  const throttle = createThrottle({ store, now: () => time, takeTurn });

  const run = <T extends { readonly succeeded: boolean }>(changes: Partial<Attempt>, check: () => Promise<T>) =>
    throttle.attempt(limitsOf({ ...usual, ...changes }), check);

  async function attempt(changes: Partial<Attempt>, succeeded: boolean, from: Attempt = usual) {
    return run({ ...from, ...changes }, async () => {
      checks += 1;
      return { succeeded };
    });
  }

  return {
    throttle,
    run,
    now: () => time,
    pass(seconds: number) {
      time += seconds * 1000;
    },
    /** The number of checked attempts. Each would cost a hash. */
    checks: () => checks,
    fail: (changes: Partial<Attempt> = {}, from?: Attempt) => attempt(changes, false, from),
    succeed: (changes: Partial<Attempt> = {}, from?: Attempt) => attempt(changes, true, from),
    /** Fails `times` times, each as soon as the throttle allows. Gives the wait of each attempt. */
    async failPatiently(times: number, changes: (index: number) => Partial<Attempt> = () => ({}), from?: Attempt) {
      const waits: number[] = [];
      for (let index = 0; index < times; index += 1) {
        const first = await attempt(changes(index), false, from);
        waits.push(first.passed ? 0 : first.retryAfterSeconds);
        if (first.passed) continue;
        time += (first.retryAfterSeconds - 1) * 1000;
        assert.equal(
          (await attempt(changes(index), false, from)).passed,
          false,
          `attempt ${index} waits until a second before the end`,
        );
        time += 1000;
        assert.equal(
          (await attempt(changes(index), false, from)).passed,
          true,
          `attempt ${index} passes at the end of the wait`,
        );
      }
      return waits;
    },
  };
}

/** The wait in seconds, or 0 if the attempt passed. */
export const retryAfter = (
  throttled: { readonly passed: true } | { readonly passed: false; readonly retryAfterSeconds: number },
) => (throttled.passed ? 0 : throttled.retryAfterSeconds);
