import type { FastifyRequest } from 'fastify';
import type { Caller, CallerTrace } from '../../audit/event.ts';
import type { FindClient, PeerCheck } from '../client-address.ts';
import { browserCookieName, readCookies, sessionCookieName } from '../cookies.ts';
import { createRequestIds, requestIdHeader } from '../request-id.ts';
import type { App } from '../types.ts';
import { readBearer } from './credentials.ts';

export interface CallerOptions {
  readonly findClient: FindClient;
  readonly https: boolean;
  readonly publicOrigins: ReadonlySet<string>;
}

/** Lets a request tell who is calling: where from, for the throttle, and with what, for the audit. */
export function decorateCaller(app: App, { findClient, https, publicOrigins }: CallerOptions): void {
  const names = { session: sessionCookieName(https), browser: browserCookieName(https) };
  app.decorateRequest('client', {
    getter() {
      // Proxies may each add a line of their own; Node joins them.
      return findClient(this.socket.remoteAddress, this.headers['x-forwarded-for']?.toString());
    },
  });
  app.decorateRequest('caller', {
    getter() {
      return describeCaller(this, names, publicOrigins);
    },
  });
}

/** Names each request by an id that no other has, and says it in the answer. */
export function addRequestIds(app: App, isTrustedPeer: PeerCheck): void {
  const createId = createRequestIds(isTrustedPeer);
  app.setGenReqId(createId);
  // Set by the app that we are in: from this header Fastify takes whatever id a client sends, before it asks for one of ours.
  const { requestIdHeader: given } = app.initialConfig;
  app.addHook('onRequest', (request, reply, done) => {
    if (given && request.headers[given] !== undefined) {
      request.id = createId(request.raw);
      request.log = request.log.child({ reqId: request.id });
    }
    reply.header(requestIdHeader, request.id);
    done();
  });
}

/** Worked out where it is read: every request has a caller, and few are recorded. */
function describeCaller(
  request: FastifyRequest,
  names: Readonly<Record<'session' | 'browser', string>>,
  publicOrigins: ReadonlySet<string>,
): Caller {
  return {
    requestId: request.id,
    get address() {
      return request.client.address;
    },
    get userAgent() {
      return request.headers['user-agent'];
    },
    // The path as it was sent may hold anything, a password too.
    get route() {
      return `${request.method} ${request.routeOptions.url ?? '(no such address)'}`;
    },
    get format() {
      return request.format;
    },
    get trace(): CallerTrace {
      const { headers, client, socket } = request;
      const sessionCookies = readCookies(headers.cookie, names.session).length;
      const hasBrowserCookie = readCookies(headers.cookie, names.browser).length > 0;
      return {
        peer: socket.remoteAddress,
        forwardedFor: headers['x-forwarded-for']?.toString(),
        addressFrom: client.from,
        cookie: sessionCookies > 1 ? 'several' : sessionCookies === 1 ? 'one' : 'none',
        browserCookie: hasBrowserCookie ? 'sent' : 'none',
        accessToken: readBearer(headers.authorization) === undefined ? 'none' : 'sent',
        expectedOrigins: [...publicOrigins],
        origin: headers.origin,
        fetchSite: headers['sec-fetch-site']?.toString(),
      };
    },
  };
}
