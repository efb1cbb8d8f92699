import formbody from '@fastify/formbody';
import type { App } from '../types.ts';

/** Media types of the bodies that are taken. */
export const acceptedBodyTypes = ['application/x-www-form-urlencoded', 'application/json'] as const;

/** Largest body, in bytes: a login with every field at its cap, each byte percent-encoded, fits. */
export const bodyLimit = 16 * 1024;

/** Takes forms and JSON and nothing else: `text/plain` would let another site's form reach a route (ASVS 3.5.2). */
export function addBodies(app: App): void {
  app.removeAllContentTypeParsers();
  app.register(formbody, { bodyLimit });
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit }, (request, body, done) => {
    // A program may announce JSON and send none, as with a logout.
    if (body === '') done(null, undefined);
    else parseJson(request, body.toString(), done);
  });
}
