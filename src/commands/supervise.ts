import pino from 'pino';
import type { Settings } from '../config/settings.ts';
import { closingDeadline, nextSignal } from './listen.ts';
import { readyDetails } from './ready-details.ts';
import { createWorkers } from './workers.ts';

/** What a worker may take beyond its deadlines, in milliseconds. */
const tolerance = 5000;

/**
 * Serves by several processes. This one, the primary, opens no store and answers nothing: it hands out connections, replaces
 * workers that end, and all of them at SIGHUP.
 * @throws {Misconfiguration} when no worker can start
 */
export async function supervise(settings: Settings): Promise<void> {
  const log = pino({ level: settings.LOG_LEVEL });
  const workers = createWorkers({
    count: settings.WORKERS,
    log,
    endDeadline: settings.DRAIN_SECONDS * 1000 + closingDeadline + tolerance,
  });
  const told = nextSignal();
  const started = workers.start().then((port) => {
    log.info({ ...readyDetails(settings, port), workers: settings.WORKERS }, 'ready');
  });
  process.on('SIGHUP', () => started.then(workers.reload, () => {}));
  try {
    await Promise.race([started, told]);
    await told;
    nextSignal().then(workers.stop);
  } finally {
    await workers.stop();
  }
}
