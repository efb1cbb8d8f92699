import { isUtf8 } from 'node:buffer';
import type { ServerHttp2Stream } from 'node:http2';
import { parse as parseForm } from 'node:querystring';
import createError from '@fastify/error';
import type { App } from '../types.ts';

const BrokenEncoding = createError('JANUA_BROKEN_ENCODING', 'The body is not UTF-8', 400);

/** Media types of the bodies that are taken. */
export const acceptedBodyTypes = ['application/x-www-form-urlencoded', 'application/json'] as const;

/** Largest body, in bytes: a login with every field at its cap, each byte percent-encoded, fits, with a `next` that is far too long. */
export const bodyLimit = 64 * 1024;

/** Takes forms and JSON and nothing else: `text/plain` would let another site's form reach a route (ASVS 3.5.2). */
export function addBodies(app: App): void {
  app.removeAllContentTypeParsers();
  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Decoding would put the same character in place of any broken bytes, and two passwords would be one.
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit }, (request, body, done) => {
    if (isUtf8(body as Buffer)) parseJson(request, body.toString(), done);
    else done(new BrokenEncoding());
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit },
    (_request, body, done) => {
      // The form is text, and what it stands for is too: raw and escaped bytes of one character would be decoded as broken ones.
      if (isUtf8(body as Buffer) && isUtf8(unescaped(body as Buffer)))
        done(null, parseForm(body.toString(), '&', '=', { maxKeys: 0 }));
      else done(new BrokenEncoding());
    },
  );

  // A program may announce a type and send no body, as with a logout: then the type does not matter.
  app.addHook('onRequest', ({ headers, raw }, _reply, done) => {
    const announced = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
    if (!announced && !isStream(raw)) delete headers['content-type'];
    done();
  });
}

/** The bytes that a form stands for. A percent sign without two digits stands for itself. */
const unescaped = (form: Buffer) =>
  Buffer.from(
    form
      .toString('latin1')
      .replaceAll(/%([\da-f]{2})/gi, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16))),
    'latin1',
  );

/** Whether more comes behind the headers, as HTTP/2 says it, which needs no header for that. */
function isStream(raw: object): boolean {
  return 'stream' in raw && !(raw.stream as ServerHttp2Stream).endAfterHeaders;
}
