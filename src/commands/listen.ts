import { EventEmitter, on } from 'node:events';
import { flushCompileCache } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import type { Composition, Services } from '../compose.ts';
import { prepareLater, prepareNow } from '../core/stores/upkeep.ts';
import type { Settings } from '../ground/config/settings.ts';
import { listeningFault } from '../ground/faults/listening-fault.ts';

/** Milliseconds after an order to end, until running requests are cut off. */
export const closingDeadline = 10_000;

/** `stop` ends the server for good. `retire` ends it because another process takes its place. */
export type Order = 'stop' | 'retire';

export class Orders extends EventEmitter<{ order: [order: Order] }> {
  readonly #queue = on(this, 'order');

  /** Waits for the next order. An order that came earlier is kept for this call. */
  async next(): Promise<Order> {
    const { value } = await this.#queue.next();
    return value?.[0];
  }
}

export function hearOrders(): Orders {
  const orders = new Orders();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => orders.emit('order', 'stop'));
  return orders;
}

export interface ServerAddress {
  readonly url: string;
  readonly port: number;
}

/**
 * Serves until an order to end. Then it drains, and finishes the running requests. Meanwhile `/health/ready` answers 503, except when this
 * worker retires, because the other workers behind the port are ready. A second order ends the drain. A third does nothing. If a store
 * cannot be reached at the start, the server waits for it and answers requests with 503. Closes the composition at its end.
 * @param orders from `hearOrders`, or from the primary of this worker
 * @param onReady is called once the stores are usable
 * @throws {Misconfiguration} when a port is taken, an address cannot be used, or a store has a fault that the operator must mend
 */
export async function listen(
  composition: Composition,
  settings: Settings,
  orders: Orders,
  onReady: (address: ServerAddress, services: Services) => void | Promise<void>,
): Promise<void> {
  await using closing = new AsyncDisposableStack();
  closing.defer(() => composition.close());
  const { HOST, PORT, PUBLIC_URL, DRAIN_SECONDS } = settings;
  const stop = new AbortController();
  const firstOrder = orders.next();
  firstOrder.then(() => stop.abort());

  const services = await prepareNow(composition);
  // Closed after the server, so that a scrape still sees the shutdown.
  closing.use(await composition.listenForMetrics());
  const server = await composition.createServer();
  try {
    await server.listen({ host: HOST, port: PORT });
  } catch (error) {
    throw listeningFault(error, `HOST ${HOST}`, PORT, 'Stop the other program, or choose another port: PORT=5001.');
  }
  const [bound] = server.addresses();
  const port = typeof bound === 'object' ? bound.port : PORT;

  try {
    const ready = services ?? (await prepareLater(composition, stop.signal));
    if (ready !== undefined) {
      await onReady({ url: PUBLIC_URL ?? `http://localhost:${port}`, port }, ready);
      // Node writes the compile cache only at an orderly exit. Without it, a killed server restarts more slowly and takes 17 MB more.
      flushCompileCache();
      if ((await firstOrder) === 'stop') composition.readiness.stop();
      // To retire, the worker only stops accepting: Node's cluster then routes new connections to the other workers. Closing the server
      // would drop connections without a request yet.
      else server.server.maxConnections = 0;
      // A client with a keep-alive connection then opens a new one, and loses no request to a closed connection.
      server.server.prependListener('request', (_, response) => response.setHeader('Connection', 'close'));
      await Promise.race([setTimeout(DRAIN_SECONDS * 1000, undefined, { ref: false }), orders.next()]);
    }
  } finally {
    setTimeout(closingDeadline, undefined, { ref: false }).then(() => server.server.closeAllConnections());
    await server.close();
  }
}
