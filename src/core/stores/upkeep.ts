import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Unavailable } from '../../ground/faults/unavailable.ts';

/** Milliseconds between two removals of expired records. */
export const cleaningInterval = 10 * 60 * 1000;

/** Milliseconds between two attempts to reach stores that were unreachable at the start. */
const preparingInterval = 1000;

interface Preparing<Services> {
  readonly log: Pick<Logger, 'error'>;
  /** @throws {Unavailable} while a store cannot be reached; {Misconfiguration} when the operator must correct a store */
  prepare(): Promise<Services>;
}

/** Prepares the server. Undefined while a store cannot be reached. @throws {Misconfiguration} when the operator must correct a store */
export async function prepareNow<Services>(server: Preparing<Services>): Promise<Services | undefined> {
  try {
    return await server.prepare();
  } catch (error) {
    if (error instanceof Unavailable) return undefined;
    throw error;
  }
}

/** Repeats `prepare` until it succeeds. Undefined if the signal to stop came first. */
export async function prepareLater<Services>(
  server: Preparing<Services>,
  signal: AbortSignal,
): Promise<Services | undefined> {
  server.log.error('started without its stores: the server answers every request with 503 until it can reach them');
  let services: Services | undefined;
  while (services === undefined && !signal.aborted) {
    await setTimeout(preparingInterval, undefined, { signal }).catch(() => {});
    if (!signal.aborted) services = await prepareNow(server);
  }
  return services;
}

/** Removes expired records at intervals until the timer is cleared. The timer does not keep the process alive. */
export function startCleaning(clean: () => Promise<void>, log: Pick<Logger, 'warn'>): NodeJS.Timeout {
  const warn = (error: unknown) => log.warn({ err: error }, 'expired records could not be removed');
  return setInterval(() => clean().catch(warn), cleaningInterval).unref();
}
