import { lookup as resolve } from 'node:dns';
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import { bareHost, isPublicAddress } from '../../ground/text/networks.ts';
import { readBody } from '../../ground/text/read-body.ts';

export interface GuardedFetchOptions {
  /** Hosts in the operator's own network that may be called: names, or addresses. Plain http is allowed there too. */
  readonly privateHosts: readonly string[];
  /** Bytes of the longest body that is read. */
  readonly mostBytes?: number;
  readonly lookup?: LookupFunction;
}

export type GuardedFetch = ReturnType<typeof createGuardedFetch>;

/** Milliseconds until the whole response must be there. */
export const patience = 3_000;

export const longestBody = 64 * 1024;

/** Statuses without a body (Fetch 2.2.6). */
const bodiless = new Set([204, 205, 304]);

class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

const plainHost = (host: string) => bareHost(host.toLowerCase());

/**
 * `fetch` for addresses that strangers choose: documents and keys of clients, and notices of logouts (ASVS 1.3.6). It calls no address of a
 * private network, follows no redirect, and waits 3 seconds. The address is judged where the connection is made: a name that resolves to
 * another address a moment later (DNS rebinding) gains nothing.
 */
export function createGuardedFetch({ privateHosts, mostBytes = longestBody, lookup = resolve }: GuardedFetchOptions) {
  const named = new Set(privateHosts.map(plainHost));

  const lookupPublic: LookupFunction = (host, options, done) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      const addresses = Array.isArray(found) ? found.filter(({ address }) => isPublicAddress(address)) : [];
      const [first] = addresses;
      if (error !== null) done(error, '');
      else if (first === undefined) done(new AddressRefused(`${host} has no public address`), '');
      else if (options.all) done(null, addresses);
      else done(null, first.address, first.family);
    });

  /** Judges what is not looked up. @returns whether the host is one of the operator's */
  function judge({ protocol, hostname }: URL): boolean {
    const host = plainHost(hostname);
    const isNamed = named.has(host);
    if (protocol !== 'https:' && !(protocol === 'http:' && isNamed))
      throw new AddressRefused(`${host} is not at https:`);
    if (!isNamed && isIP(host) !== 0 && !isPublicAddress(host))
      throw new AddressRefused(`${host} is no public address`);
    return isNamed;
  }

  /** @throws {Error} without a complete response, or when the address is refused */
  return async (input: string | URL, init?: RequestInit): Promise<Response> => {
    const url = new URL(input);
    const isNamed = judge(url);
    const request = new Request(url, init);
    const body = Buffer.from(await request.arrayBuffer());
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(patience)]);
    // Loaded only when there is something to fetch: TLS takes 9 MB.
    const { request: send } = await import(url.protocol === 'https:' ? 'node:https' : 'node:http');
    const sent: ClientRequest = send(url, {
      method: request.method,
      headers: { ...Object.fromEntries(request.headers), 'user-agent': 'Janua', 'accept-encoding': 'identity' },
      lookup: isNamed ? lookup : lookupPublic,
      // No connection that another part has opened.
      agent: false,
      signal,
    });
    // An end in the middle of the body is an error of the response too.
    sent.on('error', () => {});
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return toResponse(response, mostBytes, signal);
  };
}

async function toResponse(response: IncomingMessage, mostBytes: number, signal: AbortSignal): Promise<Response> {
  const { statusCode: status = 0, headersDistinct } = response;
  const headers = Object.entries(headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  const { socket } = response;
  const hasLength = 'content-length' in headersDistinct || 'transfer-encoding' in headersDistinct;
  const body = await readBody(response, mostBytes);
  // Without a length, a body ends with its connection (RFC 9112 6.3). Node then gives what has come, also if the connection broke.
  signal.throwIfAborted();
  if (!hasLength && socket.errored) throw socket.errored;
  return new Response(bodiless.has(status) ? null : body, { status, headers });
}
