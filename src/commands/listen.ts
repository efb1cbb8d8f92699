import type { Services } from '../compose.ts';
import type { Settings } from '../config/settings.ts';
import { Misconfiguration } from '../misconfiguration.ts';

const cleaningInterval = 10 * 60 * 1000;

/** Longest that requests under way are waited for after a signal to stop, in milliseconds. */
const closingDeadline = 10_000;

/**
 * Serves until a signal says stop, then finishes the requests under way.
 * @param onReady is told the port, once requests are taken
 * @throws {Misconfiguration} when the port is taken or the address cannot be used
 */
export async function listen(services: Services, settings: Settings, onReady: (port: number) => void): Promise<void> {
  const server = await services.createServer();
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  try {
    await server.listen({ host: settings.HOST, port: settings.PORT });
  } catch (error) {
    throw listeningFault(error, settings);
  }
  const cleaning = setInterval(() => {
    services.sessions
      .removeExpired()
      .catch((error: unknown) => services.log.warn({ err: error }, 'expired sessions were not removed'));
  }, cleaningInterval);
  const [address] = server.addresses();
  onReady(typeof address === 'object' ? address.port : settings.PORT);

  await stopped;
  clearInterval(cleaning);
  setTimeout(() => server.server.closeAllConnections(), closingDeadline).unref();
  await server.close();
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
