import type { FastifyRequest } from 'fastify';
import { workFor } from '../../ground/faults/requester.ts';
import { endSiteOf } from '../../ground/text/networks.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';

/**
 * Makes the work of a request count for its network, and for its account once the user is known. Requesters share the connections to the
 * database fairly (`ground/faults/requester.ts`).
 */
export function addRequesters(app: App, { findClient }: Pick<FlowOptions, 'findClient'>): void {
  const keysOf = ({ socket, headers, signedIn }: FastifyRequest): [string, string] => {
    const { address } = findClient(socket.remoteAddress, headers['x-forwarded-for']?.toString());
    const network = endSiteOf(address);
    return [network, `${network} ${signedIn?.user.id ?? ''}`];
  };
  app.addHook('onRequest', (request, _reply, done) => workFor(() => keysOf(request), done));
}
