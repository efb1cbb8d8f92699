import cluster from 'node:cluster';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { createLevelSwitch } from '../telemetry/log.ts';
import { type Order, type Orders, queueOrders } from './listen.ts';

/**
 * Messages between a worker and its primary. After an upgrade, new workers talk to the old primary until its restart. So fields may only
 * be added.
 */
export type Report =
  | { readonly janua: 'ready'; readonly port: number }
  | { readonly janua: 'faults'; readonly faults: readonly string[] };

export type Instruction =
  | { readonly janua: Order }
  /** Whether the log is at `debug`. */
  | { readonly debug: boolean };

/**
 * Runs a server as a worker. It obeys the primary and reports faults to it. If the primary dies, this process can get no more
 * connections, so Node's cluster ends it.
 */
export async function obeyPrimary(
  serve: (orders: Orders, onReady: (port: number) => void) => Promise<void>,
): Promise<void> {
  // A terminal or supervisor signals all processes. Workers ignore the signals, because the primary tells them what to do.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
  process.on('message', (message: Partial<{ janua: Order }> | null) => {
    if (message?.janua !== undefined) give(message.janua);
  });
  try {
    await serve(instructions, (port) => report({ janua: 'ready', port }));
  } catch (error) {
    if (!(error instanceof Misconfiguration)) throw error;
    await report({ janua: 'faults', faults: error.lines });
    process.exitCode = 2;
  } finally {
    cluster.worker?.disconnect();
  }
}

const { give, next } = queueOrders();

const instructions: Orders = {
  next,
  follow(log) {
    const turnTo = createLevelSwitch(log);
    function hear(message: Partial<{ debug: boolean }> | null): void {
      if (message?.debug !== undefined) turnTo(message.debug);
    }
    process.on('message', hear);
    return { [Symbol.dispose]: () => void process.off('message', hear) };
  },
};

async function report(message: Report): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.send?.(message, () => resolve());
  await promise;
}
