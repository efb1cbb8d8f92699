import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Answer, Refusal } from '../../core/access/refusal.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';
import { formatHeader } from './format.ts';
import { requestIdHeader } from './request-id.ts';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY']);

export const crossSite: Answer = {
  name: 'cross-site',
  status: 403,
  detail: 'This request was sent by another site and was not carried out',
  event: { kind: 'cross-site-refused' },
};

export type CrossSiteOptions = Pick<FlowOptions, 'publicOrigins' | 'corsOrigins'>;

/**
 * Keeps other sites from acting as the user, and from logging the user in (ASVS 3.5.1).
 * Browsers send the origin of a request, so forms need no token. A request without it does not come from a browser.
 */
export function addCrossSiteRules(app: App, { publicOrigins, corsOrigins }: CrossSiteOptions): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.anySite) return done();
    const { origin } = request.headers;
    const listed = origin !== undefined && corsOrigins.has(origin);
    if (corsOrigins.size > 0) reply.header('vary', [reply.getHeader('vary'), 'Origin'].filter(Boolean).join(', '));
    if (listed) allowReading(request, reply, origin);
    const safe = listed || safeMethods.has(request.method) || comesFromUs(request, publicOrigins);
    done(safe ? undefined : new Refusal(crossSite));
  });
}

/**
 * Applies the same rule to a route of an app that has mounted Janua. The app itself decides which origins may read its responses. Its
 * WebSockets count as actions, although a GET opens them. Janua has no WebSockets.
 * @throws {Refusal} `cross-site`
 */
export function requireSameSite(request: FastifyRequest, { publicOrigins, corsOrigins }: CrossSiteOptions): void {
  const reads = safeMethods.has(request.method) && request.headers.upgrade === undefined;
  if (reads || comesFromUs(request, publicOrigins) || corsOrigins.has(request.headers.origin ?? '')) return;
  throw new Refusal(crossSite);
}

/** `Sec-Fetch-Site` decides if present, otherwise the whole `Origin`. A request with neither comes from a program. */
export function comesFromUs({ headers }: Pick<FastifyRequest, 'headers'>, publicOrigins: ReadonlySet<string>): boolean {
  const site = headers['sec-fetch-site'];
  if (site === 'same-origin' || site === 'none') return true;
  if (site === 'same-site' || site === 'cross-site') return false;
  // An unknown `Sec-Fetch-Site` does not come from a program, because programs send none.
  if (headers.origin === undefined) return site === undefined;
  return publicOrigins.has(headers.origin);
}

/** CORS for one listed origin: its exact value, never `*` (ASVS 3.4.2). */
function allowReading(request: FastifyRequest, reply: FastifyReply, origin: string): void {
  reply.header('access-control-allow-origin', origin);
  reply.header('access-control-allow-credentials', 'true');
  reply.header('access-control-expose-headers', `WWW-Authenticate, Retry-After, ${requestIdHeader}`);
  reply.header('cross-origin-resource-policy', 'cross-origin');
  if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined) {
    reply.header('access-control-allow-methods', 'GET, HEAD, POST');
    reply.header('access-control-allow-headers', `authorization, content-type, ${formatHeader}`);
    reply.header('access-control-max-age', '600');
  }
}
