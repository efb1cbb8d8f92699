import type { FastifyRequest } from 'fastify';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import { homePath } from '../next.ts';
import type { App } from '../types.ts';

/** Headers with which browsers, and the previews of Safari, mark requests that they make ahead of their user. */
const purposes = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'];

const isAhead = ({ headers }: FastifyRequest): boolean =>
  purposes.some((name) => /\b(?:prefetch|prerender|preview)\b/i.test(headers[name]?.toString() ?? ''));

/**
 * Keeps a route with `hasLastingEffect` from acting before a user opens it. A prefetch gets 503, so that the browser requests the address
 * again when the user opens it. HEAD is redirected to the home page, as a GET is redirected after it has acted.
 */
export function addRulesOfActs(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.routeOptions.config.hasLastingEffect) return done();
    if (isAhead(request)) return done(new Unavailable('What is opened ahead', 1));
    if (request.method !== 'HEAD') return done();
    reply.redirect(homePath, 303);
  });
}
