import type { Caller } from '../../audit/event.ts';
import { browserCookie, sessionCookie } from '../cookies.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';
import { readBearer } from './credentials.ts';

/** Adds `client` to requests for the throttle, and `caller` for the audit. Few requests need them: they are computed when read. */
export function decorateCaller(
  app: App,
  { findClient, https, publicOrigins }: Pick<FlowOptions, 'findClient' | 'https' | 'publicOrigins'>,
): void {
  const session = sessionCookie(https);
  const browser = browserCookie(https);
  app.decorateRequest('client', {
    getter() {
      // Each proxy may add its own line. Node joins the lines.
      return findClient(this.socket.remoteAddress, this.headers['x-forwarded-for']?.toString());
    },
  });
  app.decorateRequest('caller', {
    getter(): Caller {
      const { id, client, headers, socket, method, format } = this;
      const sessionCookies = session.count(headers.cookie);
      return {
        requestId: id,
        address: client.address,
        userAgent: headers['user-agent'],
        // Not the path as sent: it may contain anything, even a password.
        route: `${method} ${this.routeOptions.url ?? '(no such address)'}`,
        format,
        trace: {
          peer: socket.remoteAddress,
          forwardedFor: headers['x-forwarded-for']?.toString(),
          addressFrom: client.from,
          cookie: sessionCookies > 1 ? 'several' : sessionCookies === 1 ? 'one' : 'none',
          browserCookie: browser.count(headers.cookie) > 0 ? 'sent' : 'none',
          accessToken: readBearer(headers.authorization) === undefined ? 'none' : 'sent',
          expectedOrigins: [...publicOrigins],
          origin: headers.origin,
          fetchSite: headers['sec-fetch-site']?.toString(),
        },
      };
    },
  });
}
