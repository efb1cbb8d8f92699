import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Unavailable } from '../faults/unavailable.ts';

/** How often what has expired is removed, in milliseconds. */
export const cleaningInterval = 10 * 60 * 1000;

/** Between two tries to reach stores that could not be reached at the start, in milliseconds. */
const preparingInterval = 1000;

/** A server whose stores may not be there yet. */
interface Preparing<Services> {
  readonly log: Pick<Logger, 'error'>;
  /** @throws {Unavailable} while a store cannot be reached; {Misconfiguration} when the stores are not as they should be */
  prepare(): Promise<Services>;
}

/**
 * Undefined while a store cannot be reached.
 * @throws {Misconfiguration} when the stores are not as they should be
 */
export async function prepareNow<Services>(server: Preparing<Services>): Promise<Services | undefined> {
  try {
    return await server.prepare();
  } catch (error) {
    if (error instanceof Unavailable) return undefined;
    throw error;
  }
}

/** Tries until it succeeds; undefined when told to stop. */
export async function prepareLater<Services>(
  server: Preparing<Services>,
  signal: AbortSignal,
): Promise<Services | undefined> {
  server.log.error('started without its stores: every request is answered 503 until they can be reached');
  let services: Services | undefined;
  while (services === undefined && !signal.aborted) {
    await setTimeout(preparingInterval, undefined, { signal }).catch(() => {});
    if (!signal.aborted) services = await prepareNow(server);
  }
  return services;
}

interface Cleaned {
  readonly log: Pick<Logger, 'warn'>;
  requireServices(): { clean(): Promise<void> };
}

/** Removes expired records at intervals, until the timer is cleared. Keeps no process from ending. */
export function startCleaning({ log, requireServices }: Cleaned): NodeJS.Timeout {
  return setInterval(() => {
    Promise.try(() => requireServices().clean()).catch((error: unknown) =>
      log.warn({ err: error }, 'expired sessions were not removed'),
    );
  }, cleaningInterval).unref();
}
