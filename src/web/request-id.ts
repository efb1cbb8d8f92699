import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { PeerCheck } from './client-address.ts';

/** Every response carries the request id in this header. The log and the audit hold the same id. */
export const requestIdHeader = 'x-request-id';

/** Needs no escaping anywhere, and is no longer than the audit keeps. */
const acceptable = /^[\w.:-]{1,64}$/;

export const isRequestId = (value: unknown): value is string => typeof value === 'string' && acceptable.test(value);

/**
 * Gives each request an id. An id from a trusted proxy is kept, so that both logs show the same. Otherwise Janua creates one.
 * @param isTrusted whether the peer is one of our proxies; any other client could reuse the id of another request
 */
export function createRequestIds(isTrusted: PeerCheck) {
  return ({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): string => {
    const given = headers[requestIdHeader];
    // Node joins two headers with a comma, which is not acceptable in an id.
    if (isRequestId(given) && isTrusted(socket.remoteAddress)) return given;
    return randomUUID();
  };
}
