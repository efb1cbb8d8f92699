import cluster from 'node:cluster';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { type Order, Orders, type ServerAddress } from './listen.ts';

/**
 * Messages between a worker and its primary. After an upgrade, new workers talk to the old primary until its restart. So fields may only
 * be added.
 */
export type Report =
  | ({ readonly janua: 'ready' } & ServerAddress)
  | { readonly janua: 'faults'; readonly faults: readonly string[] };

export interface Instruction {
  readonly janua?: Order;
  /** Whether the log is at `debug`. */
  readonly debug?: boolean;
}

/**
 * Runs a server as a worker. It obeys the primary and reports faults to it. If the primary dies, this process can get no more
 * connections, so Node's cluster ends it.
 */
export async function obeyPrimary(
  serve: (orders: Orders, onReady: (address: ServerAddress) => void) => Promise<void>,
): Promise<void> {
  // A terminal or supervisor signals all processes. Workers ignore the signals, because the primary instructs them.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
  const orders = new Orders();
  process.on('message', (message: Instruction | null) => {
    if (message?.janua !== undefined) orders.emit('order', message.janua);
    if (message?.debug !== undefined) orders.emit('debug', message.debug);
  });
  try {
    await serve(orders, (address) => report({ janua: 'ready', ...address }));
  } catch (error) {
    if (!(error instanceof Misconfiguration)) throw error;
    await report({ janua: 'faults', faults: error.lines });
    process.exitCode = 2;
  } finally {
    cluster.worker?.disconnect();
  }
}

const report = (message: Report) => new Promise<void>((resolve) => process.send?.(message, () => resolve()));
