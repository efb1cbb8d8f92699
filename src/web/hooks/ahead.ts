import type { FastifyRequest } from 'fastify';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import { homePath } from '../next.ts';
import type { App } from '../types.ts';

/** The headers by which browsers, and the previews of Safari, say that they ask before their user does. */
const purposes = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'];

const isAhead = ({ headers }: FastifyRequest): boolean =>
  purposes.some((name) => /\b(?:prefetch|prerender|preview)\b/i.test(headers[name]?.toString() ?? ''));

/**
 * Keeps a route that `acts` from acting before a user opens it. A prefetch gets 503, so that the browser asks again once it is opened. HEAD
 * is led to the home page, as a GET is led on.
 */
export function addRulesOfActs(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.routeOptions.config.acts) return done();
    if (isAhead(request)) return done(new Unavailable('What is opened ahead', 1));
    if (request.method !== 'HEAD') return done();
    reply.redirect(homePath, 303);
  });
}
