import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { PeerCheck } from './client-address.ts';

/** Every answer names its request by this header: what a person quotes, the log and the audit have. */
export const requestIdHeader = 'x-request-id';

/** What may be an id: nothing to be escaped anywhere, and no more than the audit keeps. */
const acceptable = /^[\w.:-]{1,64}$/;

export const isRequestId = (value: unknown): value is string => typeof value === 'string' && acceptable.test(value);

/**
 * Gives each request an id: the one that a trusted proxy has given it, so that both logs have the same, else one of our own.
 * @param isTrusted whether an address is one of our proxies: anybody else could take the id of another request
 */
export function createRequestIds(isTrusted: PeerCheck) {
  return ({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): string => {
    const given = headers[requestIdHeader];
    // Two of them are joined by a comma, and so are none.
    if (isRequestId(given) && isTrusted(socket.remoteAddress)) return given;
    return randomUUID();
  };
}
