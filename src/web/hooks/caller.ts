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

/** Adds `client` to requests for the throttle, and `caller` for the audit. */
export function decorateCaller(app: App, { findClient, https, publicOrigins }: CallerOptions): void {
  const names = { session: sessionCookieName(https), browser: browserCookieName(https) };
  app.decorateRequest('client', {
    getter() {
      // Each proxy may add its own line. Node joins the lines.
      return findClient(this.socket.remoteAddress, this.headers['x-forwarded-for']?.toString());
    },
  });
  app.decorateRequest('caller', {
    getter() {
      return describeCaller(this, names, publicOrigins);
    },
  });
}

/** Gives each request a unique id, and sends it in the response. */
export function addRequestIds(app: App, isTrustedPeer: PeerCheck): void {
  const createId = createRequestIds(isTrustedPeer);
  app.setGenReqId(createId);
  // Set if the other app uses this option: Fastify then takes any id that a client sends, before it calls our function.
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

/** Computed lazily: every request has a caller, but few are recorded. */
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
    // Not the path as sent: it may contain anything, even a password.
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
