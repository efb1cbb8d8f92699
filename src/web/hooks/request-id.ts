import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';

/** Every response carries the request id in this header. The log and the audit hold the same id. */
export const requestIdHeader = 'x-request-id';

/** An id that needs no escaping anywhere, and that the audit stores in full. */
const acceptable = /^[\w.:-]{1,64}$/;

export const isRequestId = (value: unknown): value is string => typeof value === 'string' && acceptable.test(value);

/**
 * An id from a trusted proxy is kept, so that the logs of the proxy and of Janua show the same id. Other clients could send the id of
 * another request.
 */
export function addRequestIds(app: App, isTrustedPeer: FlowOptions['isTrustedPeer']): void {
  function createId({ headers, socket }: IncomingMessage): string {
    const sent = headers[requestIdHeader];
    // Node joins two headers with a comma, which is not acceptable in an id.
    return isRequestId(sent) && isTrustedPeer(socket.remoteAddress) ? sent : randomUUID();
  }

  app.setGenReqId(createId);
  // Set if an app that has mounted Janua uses this option of Fastify. Fastify then accepts any id of a client, and does not call our
  // function.
  const { requestIdHeader: fastifyHeader } = app.initialConfig;
  app.addHook('onRequest', (request, reply, done) => {
    if (fastifyHeader && request.headers[fastifyHeader] !== undefined) {
      request.id = createId(request.raw);
      request.log = request.log.child({ reqId: request.id });
    }
    reply.header(requestIdHeader, request.id);
    done();
  });
}
