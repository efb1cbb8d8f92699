import { EventEmitter, on } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Composition, Services } from '../compose.ts';
import type { Settings } from '../config/settings.ts';
import { listeningFault } from '../faults/listening-fault.ts';
import { prepareLater, prepareNow, startCleaning } from '../stores/upkeep.ts';
import { followSignal } from '../telemetry/log.ts';

/** Milliseconds that requests under way may take after an order to end. */
export const closingDeadline = 10_000;

/** `stop` ends the server for good. `retire` ends it because another process takes its place. */
export type Order = 'stop' | 'retire';

/** Orders from the terminal, the supervisor or the primary. */
export interface Orders {
  /** Waits for the next one. */
  next(): Promise<Order>;
  /** Switches the log to `debug` and back when asked to, until it is disposed of. */
  follow(log: Logger): Disposable;
}

/**
 * Serves until an order to end. Then it drains and finishes the requests under way. Meanwhile `/health/ready` answers 503, except
 * when this worker retires, because the other workers behind the port are ready.
 * If a store cannot be reached at the start, the server waits for it and answers requests with 503.
 * @param onReady is called with the port once the stores are usable
 * @throws {Misconfiguration} when a port is taken, an address cannot be used, or a store needs the operator
 */
export async function listen(
  composition: Composition,
  settings: Settings,
  onReady: (port: number, services: Services) => void | Promise<void>,
  orders: Orders = signals,
): Promise<void> {
  const stop = new AbortController();
  const told = orders.next();
  told.then(() => stop.abort());

  using _following = orders.follow(composition.log);

  const services = await prepareNow(composition);
  // Closed last, so that a scrape still sees the shutdown.
  await using _figures = await composition.listenForMetrics();
  const server = await composition.createServer();
  try {
    await server.listen({ host: settings.HOST, port: settings.PORT });
  } catch (error) {
    const { HOST, PORT } = settings;
    throw listeningFault(error, `HOST ${HOST}`, PORT, 'Stop the other program, or choose another port: PORT=5001.');
  }
  const [address] = server.addresses();
  const port = typeof address === 'object' ? address.port : settings.PORT;

  try {
    const ready = services ?? (await prepareLater(composition, stop.signal));
    if (ready !== undefined) {
      await onReady(port, ready);
      const cleaning = startCleaning(composition);
      const order = await told;
      clearInterval(cleaning);
      if (order === 'stop') composition.readiness.stop();
      // Node's cluster then routes new connections to the other workers. Closing the server would drop connections without a request yet.
      else server.server.maxConnections = 0;
      // A client with a keep-alive connection then opens a new one, and loses no request to a closed connection.
      server.server.prependListener('request', (_, response) => response.setHeader('Connection', 'close'));
      // A second order ends the wait.
      await Promise.race([setTimeout(settings.DRAIN_SECONDS * 1000, undefined, { ref: false }), orders.next()]);
    }
  } finally {
    setTimeout(closingDeadline, undefined, { ref: false }).then(() => server.server.closeAllConnections());
    await server.close();
  }
}

/** Queues orders. An early order waits for the next call of `next()`. */
export function queueOrders(): { give(order: Order): void; next: Orders['next'] } {
  const source = new EventEmitter();
  const queue = on(source, 'order');
  return {
    give: (order) => void source.emit('order', order),
    async next() {
      const { value = [] } = await queue.next();
      return value[0];
    },
  };
}

let nextSignal: Orders['next'] | undefined;

function queueSignals(): Orders['next'] {
  const { give, next } = queueOrders();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => give('stop'));
  return next;
}

/** Takes orders from signals. After the first `next()`, these signals no longer end the process by themselves. A third does nothing. */
export const signals: Orders = {
  next() {
    // One permanent listener: a signal in a gap between two listeners would end the process.
    nextSignal ??= queueSignals();
    return nextSignal();
  },
  follow: followSignal,
};
