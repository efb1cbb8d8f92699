import { setTimeout } from 'node:timers/promises';
import type { Composition, Services } from '../compose.ts';
import { Unavailable } from '../faults/unavailable.ts';

/** How often what has expired is removed, in milliseconds. */
export const cleaningInterval = 10 * 60 * 1000;

/** Between two tries to reach stores that could not be reached at the start, in milliseconds. */
const preparingInterval = 1000;

/**
 * Undefined while a store cannot be reached.
 * @throws {Misconfiguration} when the stores are not as they should be
 */
export async function prepareNow(composition: Composition): Promise<Services | undefined> {
  try {
    return await composition.prepare();
  } catch (error) {
    if (error instanceof Unavailable) return undefined;
    throw error;
  }
}

/** Tries until it succeeds; undefined when told to stop. */
export async function prepareLater(composition: Composition, signal: AbortSignal): Promise<Services | undefined> {
  composition.log.error('started without its stores: everybody is answered 503 until they can be reached');
  let services: Services | undefined;
  while (services === undefined && !signal.aborted) {
    await setTimeout(preparingInterval, undefined, { signal }).catch(() => {});
    if (!signal.aborted) services = await prepareNow(composition);
  }
  return services;
}

/** Removes what has expired, now and then, until the timer is cleared. Keeps no process from ending. */
export function startCleaning({ log, requireServices }: Composition): NodeJS.Timeout {
  return setInterval(() => {
    Promise.try(() => requireServices().clean()).catch((error: unknown) =>
      log.warn({ err: error }, 'expired sessions were not removed'),
    );
  }, cleaningInterval).unref();
}
