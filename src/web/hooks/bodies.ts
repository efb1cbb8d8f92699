import { isUtf8 } from 'node:buffer';
import type { ServerHttp2Stream } from 'node:http2';
import { parse as parseForm } from 'node:querystring';
import createError from '@fastify/error';
import { percentDecoded } from '../percent-decoding.ts';
import type { App } from '../types.ts';

const BrokenEncoding = createError('JANUA_BROKEN_ENCODING', 'The body is not UTF-8', 400);

export const acceptedBodyTypes = ['application/x-www-form-urlencoded', 'application/json'] as const;

/** Largest body, in bytes. A login fits with every field at its limit, each byte percent-encoded, and a far too long `next`. */
export const bodyLimit = 64 * 1024;

/** Accepts only forms and JSON. With `text/plain`, another site's form could reach a route (ASVS 3.5.2). */
export function addBodies(app: App): void {
  app.removeAllContentTypeParsers();
  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Decoding would replace any broken bytes with the same character, so two different passwords would match.
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit }, (request, body, done) => {
    if (isUtf8(body as Buffer)) parseJson(request, body.toString(), done);
    else done(new BrokenEncoding());
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit },
    (_request, body, done) => {
      // Both the form and its unescaped bytes must be UTF-8. A character that mixes raw and escaped bytes would be decoded as broken.
      if (isUtf8(body as Buffer) && isUtf8(unescaped(body as Buffer)))
        done(null, parseForm(body.toString(), '&', '=', { maxKeys: 0 }));
      else done(new BrokenEncoding());
    },
  );

  // A program may send a type without a body, for example on logout. The type is then ignored.
  app.addHook('onRequest', ({ headers, raw }, _reply, done) => {
    const announced = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
    if (!announced && !isStream(raw)) delete headers['content-type'];
    done();
  });
}

const unescaped = (form: Buffer) => Buffer.from(percentDecoded(form.toString('latin1')), 'latin1');

/** Whether a body follows the headers in HTTP/2, which needs no header to announce it. */
function isStream(raw: object): boolean {
  return 'stream' in raw && !(raw.stream as ServerHttp2Stream).endAfterHeaders;
}
