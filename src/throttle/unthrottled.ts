import type { Throttle } from './throttle.ts';

/** Counts nothing and lets everybody try: for measurements. */
export const unthrottled: Throttle = {
  attempt: async (_attempt, check) => ({ passed: true, result: await check(), trace: [], stops: false }),
  async *list() {},
  lift: async () => 0,
  async removeExpired() {},
};
