import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { parse as parseForm } from 'node:querystring';
import { promisify } from 'node:util';
import createError from '@fastify/error';
import { percentDecoded } from '../percent-decoding.ts';
import type { App, Request } from '../types.ts';
import { readBody } from './read-body.ts';

const BrokenEncoding = createError('JANUA_BROKEN_ENCODING', 'The body is not UTF-8', 400);

export const acceptedBodyTypes = ['application/x-www-form-urlencoded', 'application/json'] as const;

/** Largest body, in bytes. A login fits with every field at its limit, each byte percent-encoded, and a far too long `next`. */
export const bodyLimit = 64 * 1024;

/** Most fields of a form. A form with all groups, or all scopes, sends a field for each. */
export const mostFields = 2000;

const TooManyFields = createError('JANUA_TOO_MANY_FIELDS', `The form has more than ${mostFields} fields`, 400);

/** Accepts only forms and JSON. With `text/plain`, another site's form could reach a route (ASVS 3.5.2). */
export function addBodies(app: App): void {
  app.removeAllContentTypeParsers();
  acceptJson(app, bodyLimit);
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { bodyLimit },
    async (_request: Request, payload: IncomingMessage) => {
      const body = await readBody(payload, bodyLimit);
      // Both the form and its unescaped bytes must be UTF-8. A character that mixes raw and escaped bytes would be decoded as broken.
      if (!isUtf8(body) || !isUtf8(unescaped(body))) throw new BrokenEncoding();
      // A field beyond the limit is enough for the refusal, so the parser reads no further.
      const form = parseForm(body.toString(), '&', '=', { maxKeys: mostFields + 1 });
      if (Object.values(form).flat().length > mostFields) throw new TooManyFields();
      return form;
    },
  );

  // A program may send a type without a body, for example on logout. The type is then ignored.
  app.addHook('onRequest', ({ headers, raw }, _reply, done) => {
    const announced = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
    if (!announced && !isStream(raw)) delete headers['content-type'];
    done();
  });
}

/** Accepts JSON in the bodies of an app's routes. @param limit in bytes */
export function acceptJson(app: App, limit: number): void {
  const parseJson = promisify(app.getDefaultJsonParser('error', 'error'));
  app.removeContentTypeParser('application/json');
  // Decoding would replace any broken bytes with the same character, so two different passwords would match.
  app.addContentTypeParser(
    'application/json',
    { bodyLimit: limit },
    async (request: Request, payload: IncomingMessage) => {
      const body = await readBody(payload, limit);
      if (!isUtf8(body)) throw new BrokenEncoding();
      return parseJson(request, body.toString());
    },
  );
}

const unescaped = (form: Buffer) => Buffer.from(percentDecoded(form.toString('latin1')), 'latin1');

/** Whether a body follows the headers in HTTP/2, which needs no header to announce it. */
function isStream(raw: object): boolean {
  return 'stream' in raw && !(raw.stream as ServerHttp2Stream).endAfterHeaders;
}
