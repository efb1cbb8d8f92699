import type { IncomingMessage } from 'node:http';
import { errorCodes } from 'fastify';

/**
 * Number of chunks that are joined at once. Each chunk is an object: a body of 64 KiB in chunks of one byte would take 13 MB until its end.
 */
const joinedAtOnce = 256;

/** Reads a body. @param limit in bytes @throws 413 beyond the limit; 400 if the client breaks off */
export async function readBody(payload: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(payload.headers?.['content-length']) > limit) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const parts: Buffer[] = [];
  let chunks: Buffer[] = [];
  let size = 0;
  const stop = () => payload.off('data', add).off('end', end).off('error', fail);

  function add(chunk: Buffer): void {
    size += chunk.length;
    if (size > limit) {
      stop();
      reject(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
      return;
    }
    chunks.push(chunk);
    if (chunks.length < joinedAtOnce) return;
    parts.push(Buffer.concat(chunks));
    chunks = [];
  }
  function end(): void {
    stop();
    resolve(Buffer.concat([...parts, ...chunks]));
  }
  function fail(error: Error): void {
    stop();
    reject(Object.assign(error, { statusCode: 400 }));
  }

  payload.on('data', add).on('end', end).on('error', fail).resume();
  return promise;
}
