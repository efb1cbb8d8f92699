import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

const codings = {
  // The first client waits for the compression. The default level, 11, takes over twenty times as long, and saves 4 to 12 percent.
  br: (bytes: Buffer) => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }),
  gzip: (bytes: Buffer) => promisify(gzip)(bytes),
} as const;

type Coding = keyof typeof codings;

/** A body that is the same for every client. */
export interface StaticBody {
  readonly type: string;
  /** ETag of the body without compression, without quotes. */
  readonly tag: string;
  encode(coding: Coding | undefined): Promise<Buffer> | Buffer;
}

/**
 * Compresses a body once for each coding, when a client first accepts it. Only bodies without secrets may be compressed, because the
 * compressed length could reveal a secret (BREACH).
 */
export function createStaticBody(bytes: Buffer, type: string): StaticBody {
  const encoded: Partial<Record<Coding, Promise<Buffer>>> = {};
  return {
    type,
    tag: hash('sha256', bytes, 'base64url').slice(0, 22),
    encode(coding) {
      if (coding === undefined) return bytes;
      encoded[coding] ??= codings[coding](bytes).catch((error: unknown) => {
        delete encoded[coding];
        throw error;
      });
      return encoded[coding];
    },
  };
}

/**
 * Sends a body in the coding that the client accepts, or 304 if the client has it (RFC 9110 12.5.3, 13.1.2).
 * @param caching value of `Cache-Control`
 */
export async function sendStaticBody(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { type, tag, encode }: StaticBody,
  caching: string,
): Promise<FastifyReply> {
  const coding = chooseCoding(headers['accept-encoding']?.toString());
  const etag = `"${tag}${coding === undefined ? '' : `-${coding}`}"`;
  reply.removeHeader('pragma');
  reply.headers({
    etag,
    'cache-control': caching,
    vary: [reply.getHeader('vary'), 'Accept-Encoding'].filter(Boolean).join(', '),
  });
  const known = (headers['if-none-match'] ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''));
  if (known.includes(etag) || known.includes('*')) return reply.code(304).send();
  if (coding !== undefined) reply.header('content-encoding', coding);
  return reply.type(type).send(await encode(coding));
}

/** Undefined if the client accepts neither coding. A weight of 0 refuses a coding. Other weights decide nothing. */
function chooseCoding(accepted = ''): Coding | undefined {
  const names = accepted
    .toLowerCase()
    .split(',')
    .filter((part) => !/;\s*q=0(?:\.0*)?\s*$/.test(part))
    .map((part) => part.split(';', 1)[0]?.trim());
  return (['br', 'gzip'] as const).find((coding) => names.includes(coding));
}
