import cluster from 'node:cluster';
import { Misconfiguration } from '../misconfiguration.ts';
import type { NextOrder, Order } from './listen.ts';

/**
 * What a worker tells its primary, and it the worker. After an upgrade the workers of one version have the primary of the one
 * before, until it is restarted: neither may be changed, only added to.
 */
export type Report =
  | { readonly janua: 'ready'; readonly port: number }
  | { readonly janua: 'faults'; readonly faults: readonly string[] };

export interface Instruction {
  readonly janua: Order;
}

/**
 * Runs a server as a worker: under the orders of the primary, which gets its faults too. Should that end without a word, so does
 * this process, by Node's own cluster: nobody could send it a request any more.
 */
export async function obeyPrimary(
  serve: (nextOrder: NextOrder, onReady: (port: number) => void) => Promise<void>,
): Promise<void> {
  // A terminal, or a supervisor, sends its signals to all processes, and the primary then tells what to do.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  try {
    await serve(nextInstruction, (port) => report({ janua: 'ready', port }));
  } catch (error) {
    if (!(error instanceof Misconfiguration)) throw error;
    await report({ janua: 'faults', faults: error.faults });
    process.exitCode = 2;
  } finally {
    cluster.worker?.disconnect();
  }
}

const nextInstruction: NextOrder = () => {
  const { promise, resolve } = Promise.withResolvers<Order>();
  process.on('message', function hear(message: Partial<Instruction> | null) {
    if (message?.janua === undefined) return;
    process.off('message', hear);
    resolve(message.janua);
  });
  return promise;
};

async function report(message: Report): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.send?.(message, () => resolve());
  await promise;
}
