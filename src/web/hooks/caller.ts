import type { Caller } from '../../core/audit/event.ts';
import { browserCookie, sessionCookie } from '../cookies.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';
import { readBearer } from './credentials.ts';

/** Adds `caller` to requests, for the throttle and the audit. Few requests need it: it is computed when read. */
export function decorateCaller(app: App, { findClient, https, publicOrigins }: FlowOptions): void {
  const session = sessionCookie(https);
  const browser = browserCookie(https);
  app.decorateRequest('caller', {
    getter(): Caller {
      const { id, headers, socket, method, format } = this;
      // Each proxy may add its own line. Node joins the lines.
      const forwardedFor = headers['x-forwarded-for']?.toString();
      const client = findClient(socket.remoteAddress, forwardedFor);
      return {
        requestId: id,
        address: client.address,
        userAgent: headers['user-agent'],
        // Not the path as sent: it may contain anything, even a password.
        route: `${method} ${this.routeOptions.url ?? '(no such address)'}`,
        format,
        trace: {
          peer: socket.remoteAddress,
          forwardedFor,
          addressFrom: client.from,
          cookie: session.amount(headers.cookie),
          browserCookie: browser.amount(headers.cookie) === 'none' ? 'none' : 'sent',
          accessToken: readBearer(headers.authorization) === undefined ? 'none' : 'sent',
          expectedOrigins: [...publicOrigins],
          origin: headers.origin,
          fetchSite: headers['sec-fetch-site']?.toString(),
        },
      };
    },
  });
}
