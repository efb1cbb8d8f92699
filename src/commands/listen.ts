import { setTimeout } from 'node:timers/promises';
import type { Composition, Services } from '../compose.ts';
import type { Settings } from '../config/settings.ts';
import { Misconfiguration } from '../misconfiguration.ts';
import { followSignal } from '../telemetry/log.ts';
import { prepareLater, prepareNow, startCleaning } from '../upkeep.ts';

/** Longest that requests under way are waited for after a signal to stop, in milliseconds. */
const closingDeadline = 10_000;

/**
 * Serves until a signal says stop: then says that it is not ready, goes on for a while, and finishes the requests under way.
 * Stores that cannot be reached at the start are waited for, with requests answered 503 until then.
 * @param onReady is told the port, once the stores are as they should be
 * @throws {Misconfiguration} when a port is taken, an address cannot be used, or the stores are not as they should be
 */
export async function listen(
  composition: Composition,
  settings: Settings,
  onReady: (port: number, services: Services) => void | Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  stopped.then(() => stop.abort());

  using _following = followSignal(composition.log);

  const services = await prepareNow(composition);
  // Closed last: what happens while the server ends can be seen too.
  await using _figures = await composition.listenForMetrics();
  const server = await composition.createServer();
  try {
    await server.listen({ host: settings.HOST, port: settings.PORT });
  } catch (error) {
    throw listeningFault(error, settings);
  }
  const [address] = server.addresses();
  const port = typeof address === 'object' ? address.port : settings.PORT;

  try {
    const ready = services ?? (await prepareLater(composition, stop.signal));
    if (ready !== undefined) {
      await onReady(port, ready);
      const cleaning = startCleaning(composition);
      await stopped;
      clearInterval(cleaning);
      composition.readiness.stop();
      // A second signal ends the wait.
      await Promise.race([setTimeout(settings.DRAIN_SECONDS * 1000, undefined, { ref: false }), nextSignal()]);
    }
  } finally {
    setTimeout(closingDeadline, undefined, { ref: false }).then(() => server.server.closeAllConnections());
    await server.close();
  }
}

async function nextSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  await promise;
}

function listeningFault(error: unknown, { HOST, PORT }: Settings): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return new Misconfiguration(
        `Port ${PORT} is in use already. Stop the other program, or choose another port: PORT=5001.`,
      );
    case 'EACCES':
      return new Misconfiguration(`Port ${PORT} may not be used by this account. Choose one above 1023.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new Misconfiguration(`HOST ${HOST} is not an address of this machine.`);
    default:
      return error;
  }
}
