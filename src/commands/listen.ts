import { EventEmitter, on } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Composition, Services } from '../compose.ts';
import type { Settings } from '../config/settings.ts';
import { listeningFault } from '../faults/listening-fault.ts';
import { prepareLater, prepareNow, startCleaning } from '../stores/upkeep.ts';
import { followSignal } from '../telemetry/log.ts';

/** Longest that requests under way are waited for after an order to end, in milliseconds. */
export const closingDeadline = 10_000;

/** How a server is told to end: for good, or because another process takes its place. */
export type Order = 'stop' | 'retire';

/** The orders of the terminal or supervisor, or of the primary. */
export interface Orders {
  /** Waits for the next one. */
  next(): Promise<Order>;
  /** Switches the log to `debug` and back when asked to, until it is disposed of. */
  follow(log: Logger): Disposable;
}

/**
 * Serves until it is told to end. Then it drains and finishes the requests under way. Meanwhile `/health/ready` is 503, unless this
 * worker retires: the other workers behind the port are ready.
 * Stores that cannot be reached at the start are waited for, with requests answered 503 until then.
 * @param onReady is told the port, once the stores are as they should be
 * @throws {Misconfiguration} when a port is taken, an address cannot be used, or the stores are not as they should be
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
  // Closed last, so that the end of the server can be measured too.
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
      // Node's cluster then routes new connections to the other workers. Closing would end connections that have sent no request yet.
      else server.server.maxConnections = 0;
      // Clients that keep a connection open another one, rather than lose a request to a closed one.
      server.server.prependListener('request', (_, response) => response.setHeader('Connection', 'close'));
      // A second order ends the wait.
      await Promise.race([setTimeout(settings.DRAIN_SECONDS * 1000, undefined, { ref: false }), orders.next()]);
    }
  } finally {
    setTimeout(closingDeadline, undefined, { ref: false }).then(() => server.server.closeAllConnections());
    await server.close();
  }
}

/** Orders in the order in which they are given. One that came early is kept for the next `next()`. */
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

/** By signal. From the first `next()` on, no signal ends the process by default; a third does nothing. */
export const signals: Orders = {
  next() {
    // One listener for good: in a gap between two, a signal would end the process.
    nextSignal ??= queueSignals();
    return nextSignal();
  },
  follow: followSignal,
};
