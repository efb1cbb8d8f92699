import type { IncomingMessage } from 'node:http';
import { type ParsedUrlQuery, parse } from 'node:querystring';
import { Refusal } from '../../../core/access/refusal.ts';
import { bodyLimit } from '../../../web/hooks/bodies.ts';
import { readBody } from '../../../web/hooks/read-body.ts';
import type { App, Request } from '../../../web/types.ts';
import { repeatedParameter, requestTooLong } from '../refusals.ts';

/** Most characters in the address of a request. Many proxies refuse longer ones. */
export const longestAddress = 8192;

/** Most parameters of a request, known and unknown. The protocol defines about forty. */
export const mostParameters = 50;

/** A request may name several resources (RFC 8707 2). */
const repeatable: ReadonlySet<string> = new Set(['resource']);

/** The most characters of an address in a request: a registered one has 255, and on loopback a port may be added. */
export const longestUri = 261;

/** The most characters of a `nonce`. Each refresh token is stored with it. */
export const longestNonce = 512;

/**
 * The most characters of some parameters. A URL parser takes quadratic time for a long host. The page of a logout repeats `id_token_hint`
 * in its form.
 */
const longest: ReadonlyMap<string, number> = new Map([
  ['resource', longestUri],
  ['redirect_uri', longestUri],
  ['post_logout_redirect_uri', longestUri],
  ['nonce', longestNonce],
  ['id_token_hint', longestAddress],
]);

/**
 * A request of the protocol whose size is limited. Koa and the library parse some parameters in quadratic time, so the limits bound that
 * time. Only `requireBounded` returns such a request.
 */
export interface BoundedRequest {
  readonly query: ParsedUrlQuery;
  /** The raw body. Undefined if there is none, or if our own parser has read it. */
  readonly body: Buffer | undefined;
}

/** @throws {Refusal} `request-too-long`, `repeated-parameter` */
export function requireBounded({ url, body, headers }: Pick<Request, 'url' | 'body' | 'headers'>): BoundedRequest {
  requireShort(url);
  const start = url.indexOf('?');
  const query = readParameters(start === -1 ? '' : url.slice(start + 1));
  if (!Buffer.isBuffer(body)) {
    // Our own parser has read the form.
    requireParameters(body ?? {});
    return { query, body: undefined };
  }
  // The library refuses a body of another type without reading it.
  if (/^application\/x-www-form-urlencoded\b/i.test(headers['content-type'] ?? '')) readParameters(body.toString());
  return { query, body };
}

/** Options of a route that checks the limits first, and then reads the parameters itself. */
export const boundedOnly = { preHandler: async (request: Request) => void requireBounded(request) };

/** @throws {Refusal} `request-too-long` */
export function requireShort(address: string): void {
  if (address.length > longestAddress) throw new Refusal(requestTooLong);
}

/** Reads parameters with the parser that the library uses for forms. @throws as `requireParameters` */
function readParameters(text: string): ParsedUrlQuery {
  // Stops at the first parameter beyond the limit. Reading the 13,000 parameters that a body can hold takes 20 ms.
  const parameters = parse(text, '&', '=', { maxKeys: mostParameters + 1 });
  requireParameters(parameters);
  return parameters;
}

/** RFC 6749 3.1, 3.2. @throws {Refusal} `repeated-parameter`, `request-too-long` */
function requireParameters(parameters: object): void {
  const values = Object.entries(parameters).map(([name, value]) => ({ name, sent: [value].flat() }));
  const isLong = ({ name, sent }: (typeof values)[number]) =>
    sent.some((value) => String(value).length > (longest.get(name) ?? Number.POSITIVE_INFINITY));
  if (values.some(isLong)) throw new Refusal(requestTooLong);
  const isRepeated = values.some(({ name, sent }) => sent.length > 1 && !repeatable.has(name));
  const count = values.reduce((sum, { sent }) => sum + sent.length, 0);
  if (isRepeated || count > mostParameters) throw new Refusal(repeatedParameter);
}

/** Reads bodies of the protocol as raw bytes, because the library parses them. */
export function addRawBodies(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { bodyLimit }, (_request: Request, payload: IncomingMessage) =>
    readBody(payload, bodyLimit),
  );
}
