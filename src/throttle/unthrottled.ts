import type { Throttle } from './throttle.ts';

/** Counts nothing and lets every attempt pass: for `THROTTLE=off` and measurements. */
export const unthrottled: Throttle = {
  attempt: async (_limits, check) => ({ passed: true, result: await check(), trace: [], stops: false }),
  waiting: () => 0,
  async *list() {},
  lift: async () => 0,
};
