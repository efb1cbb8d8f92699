import type { FastifyReply } from 'fastify';
import type { BareStyle } from '../bare-style.ts';
import type { App } from '../types.ts';

/** Our own files only, also for Swagger UI (ASVS 3.4.3, 3.4.6). The stylesheets use `data:` images. */
const contentSecurityPolicy = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data:",
  'font-src': "'self'",
  'connect-src': "'self'",
  'form-action': "'self'",
  'base-uri': "'none'",
  'object-src': "'none'",
  'frame-ancestors': "'none'",
};

export function securityHeaders(options: { readonly https: boolean }): Record<string, string> {
  return {
    'content-security-policy': Object.entries(contentSecurityPolicy)
      .map(([directive, sources]) => `${directive} ${sources}`)
      .join('; '),
    'x-content-type-options': 'nosniff',
    // Not `no-referrer`: browsers would send `Origin: null` with our own forms (ASVS 3.4.5). Only the origin is sent, because proxies log
    // the header, and an address may hold the token of a link or the request of an application.
    'referrer-policy': 'strict-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
    'x-frame-options': 'DENY',
    // Nearly every response depends on the user. The few other responses override this.
    'cache-control': 'no-store',
    pragma: 'no-cache',
    ...(options.https ? { 'strict-transport-security': 'max-age=31536000; includeSubDomains' } : {}),
  };
}

export function addSecurityHeaders(app: App, headers: Record<string, string>, bare: BareStyle): void {
  app.addHook('onRequest', ({ routeOptions }, reply: FastifyReply, done) => {
    reply.headers(headers);
    if (routeOptions.config.shownByOtherHost) reply.header('content-security-policy', bare.contentSecurityPolicy);
    done();
  });
}
