import cluster from 'node:cluster';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { createLevelSwitch } from '../telemetry/log.ts';
import { type Order, type Orders, queueOrders } from './listen.ts';

/**
 * What a worker tells its primary, and it the worker. After an upgrade the workers of one version have the primary of the one
 * before, until it is restarted: neither may be changed, only added to.
 */
export type Report =
  | { readonly janua: 'ready'; readonly port: number }
  | { readonly janua: 'faults'; readonly faults: readonly string[] };

export type Instruction =
  | { readonly janua: Order }
  /** Whether the log is to say all it can. */
  | { readonly debug: boolean };

/**
 * Runs a server as a worker: under the orders of the primary, which gets its faults too. Should that end without a word, so does
 * this process, by Node's own cluster: nobody could send it a request any more.
 */
export async function obeyPrimary(
  serve: (orders: Orders, onReady: (port: number) => void) => Promise<void>,
): Promise<void> {
  // A terminal, or a supervisor, sends its signals to all processes, and the primary then tells what to do.
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
