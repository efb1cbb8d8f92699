import type { Policy } from '../../../src/core/throttle/backoff.ts';

const keepSeconds = 30 * 24 * 60 * 60;
const waits = { firstWaitSeconds: 10, longestWaitSeconds: 15 * 60 };
const account = { free: 10, ...waits, stopsAt: 100 };

/** Policies of each kind: with a stop, with an expiry, with both, and with forgiveness. */
export const policies = {
  account,
  unknownName: { ...account, keepSeconds },
  name: { free: 10, ...waits, keepSeconds },
  pair: { free: 8, ...waits, keepSeconds },
  unknownAddress: { free: 5, ...waits, firstWaitSeconds: 30, keepSeconds },
  address: { free: 20, ...waits, forgiveSeconds: 3 * 60, keepSeconds },
} satisfies Readonly<Record<string, Policy>>;
