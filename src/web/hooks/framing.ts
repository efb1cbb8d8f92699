import createError from '@fastify/error';
import { withoutBlanks } from '../field-value.ts';
import type { App } from '../types.ts';
import { countFields } from './credentials.ts';

const Ambiguous = createError('JANUA_AMBIGUOUS_REQUEST', 'A proxy may read this request otherwise', 400);

/** A host name or an address, with an optional port; or an empty value (RFC 9112 3.2, RFC 3986 3.2.2). */
const host = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-f:.]+\])(?::\d*)?$/i;

/**
 * Refuses requests that Node's parser accepts but a proxy may read differently, and closes the connection:
 * - a first line without a version (HTTP/0.9)
 * - a second or broken Host (RFC 9112 3.2)
 * - transfer codings other than `chunked`, which Janua does not decode (RFC 9112 6.1, ASVS 4.2.1)
 */
export function addFramingRules(app: App): void {
  app.addHook('onRequest', ({ headers, raw }, reply, done) => {
    const coding = headers['transfer-encoding'];
    const clear =
      // Another app may use HTTP/2, which has its own framing.
      (raw.httpVersionMajor === 1 || 'stream' in raw) &&
      countFields(raw.rawHeaders, 'host') <= 1 &&
      host.test(headers.host ?? '') &&
      (coding === undefined || withoutBlanks(coding).toLowerCase() === 'chunked');
    if (clear) return done();
    reply.header('connection', 'close');
    done(new Ambiguous());
  });
}
