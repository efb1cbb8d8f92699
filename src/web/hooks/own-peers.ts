import createError from '@fastify/error';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';

const Misdirected = createError('JANUA_MISDIRECTED', 'This server answers its proxy alone', 421);

/**
 * Answers only the proxies, if peers are limited: the network behind the TLS proxy may have other machines, whose passwords would cross it
 * in the clear (ASVS 12.2.1). Health checks of a container or a cluster come from other addresses, and get only `/health/`.
 */
export function addOwnPeers(app: App, isOwnPeer: FlowOptions['isOwnPeer']): void {
  if (isOwnPeer === undefined) return;
  app.addHook('onRequest', ({ socket, routeOptions }, _reply, done) => {
    const isAnswered = routeOptions.url?.startsWith('/health/') || isOwnPeer(socket.remoteAddress);
    done(isAnswered ? undefined : new Misdirected());
  });
}
