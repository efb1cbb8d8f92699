import type { Settings } from '../../ground/config/settings.ts';
import type { Log } from '../../ground/faults/log.ts';
import { createThrottle, type Throttle, type ThrottleOptions, unthrottled } from './throttle.ts';

interface OpenThrottleOptions extends Pick<ThrottleOptions, 'onRefused'> {
  readonly now: () => number;
  readonly settings: Settings;
  /** Undefined with `THROTTLE=off`. */
  readonly store: ThrottleOptions['store'] | undefined;
  readonly log: Pick<Log, 'warn'>;
}

export function openThrottle({ settings, store, log, now, onRefused }: OpenThrottleOptions): Throttle {
  if (store === undefined) return unthrottled;
  const { HASHING_QUEUE: waiting, HASHING_CONCURRENCY: hashing } = settings;
  return createThrottle({
    store,
    now,
    part: 'Password hashing',
    // Enough logins to keep the hashing threads busy while others wait for the store. The rest wait for a turn, shared fairly.
    atOnce: Math.min(4 * hashing, hashing + waiting),
    waiting,
    onRefused,
    onFull: () => log.warn({ event: 'hashing_queue_full', queue: waiting }, 'the queue of waiting logins is full'),
  });
}
