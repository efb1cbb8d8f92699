import { isIP } from 'node:net';
import { createTurns } from '../../../ground/faults/turns.ts';
import { bareHost, endSiteOf, isPublicAddress } from '../../../ground/text/networks.ts';
import { type Call, createOutsideThread, NotConnected, outsidePart } from './outside-thread.ts';
import { createDnsSearch, createSystemSearch, type FindAddresses } from './resolve-addresses.ts';

export interface GuardedFetchOptions {
  /** Names or addresses of hosts in the operator's own network that may be called, also over plain http. */
  readonly privateHosts: readonly string[];
  /** Called when the first connection is refused because too many wait. Called again only after the queue was empty. */
  readonly onFull?: () => void;
  /** Bytes of the longest body that is read. */
  readonly mostBytes?: number;
  /** Finds the addresses of hosts that strangers name. */
  readonly findAddresses?: FindAddresses;
  /** Finds the addresses of `privateHosts`. */
  readonly findPrivate?: FindAddresses;
  readonly isPublic?: (address: string) => boolean;
}

/** The request or client for which a connection is made. */
export interface Cause {
  /**
   * The key for which the connection is counted, such as the network of a request. Free connections are shared fairly among keys
   * (`createTurns`).
   */
  readonly party: string;
  /** The address of the client's document, if the client is known already. */
  readonly clientId?: string | undefined;
}

export interface Turn extends Cause {
  /** Runs once the connection may be made. It need not call `call` if it has the response by then. */
  readonly within?: (call: () => Promise<Response>) => Promise<Response>;
}

type Sent = Pick<Call, 'url' | 'method' | 'headers' | 'body'>;

export type GuardedFetch = ReturnType<typeof createGuardedFetch>;

/**
 * Most connections to applications in this process: at once, for a party (see `Cause`), to a host, and waiting; and most milliseconds of a
 * wait. The limit of a host counts its name, and also the IPv4 address or IPv6 /48 that the name resolves to. Ten names of one server thus
 * count as one host.
 */
export const outsideLimits = { atOnce: 16, ofParty: 8, ofHost: 2, waiting: 100, waitingMilliseconds: 5_000 };

/** Milliseconds from the start of the address look-up to the end of the response body. */
export const responseMilliseconds = 3_000;

/** Milliseconds until the next address of a host is tried, and the most addresses that are tried. */
const connectMilliseconds = 1_000;
const mostAddresses = 3;

export const longestBody = 64 * 1024;

class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

const plainHost = (host: string) => bareHost(host.toLowerCase());

/**
 * `fetch` for addresses that strangers choose: documents and keys of clients, and logout notices (ASVS 1.3.6). It calls no address of a
 * private network, follows no redirect, and waits 3 seconds. It judges the addresses of a host, and connects to one of those: a name that
 * resolves to another address a moment later (DNS rebinding) gains nothing. Few connections are made at once (ASVS 15.2.2), and shared
 * fairly among parties. A `signal` in `init` is ignored, because its time limit would include the wait for a free connection.
 */
export function createGuardedFetch({
  privateHosts,
  onFull = () => {},
  mostBytes = longestBody,
  findAddresses = createDnsSearch(),
  findPrivate = createSystemSearch(outsidePart),
  isPublic = isPublicAddress,
}: GuardedFetchOptions) {
  const named = new Set(privateHosts.map(plainHost));
  const { atOnce, ofParty, ofHost, waiting, waitingMilliseconds } = outsideLimits;
  const turns = createTurns({ part: outsidePart, atOnce, waiting, onFull });
  /** Limits connections by resolved address. Only requests that have a turn in `turns` wait here. */
  const turnsOfAddresses = createTurns({ part: outsidePart, atOnce, waiting: atOnce });

  const thread = createOutsideThread();

  /** Judges a URL before its host is looked up. @returns whether the operator has listed the host @throws {AddressRefused} */
  function judge({ protocol, hostname }: URL): boolean {
    const host = plainHost(hostname);
    const isNamed = named.has(host);
    if (protocol !== 'https:' && !(protocol === 'http:' && isNamed))
      throw new AddressRefused(`${host} is not at https:`);
    if (isNamed) return true;
    const mayBePublic = isIP(host) === 0 ? host.includes('.') : isPublic(host);
    if (!mayBePublic) throw new AddressRefused(`${host} is no public address`);
    return false;
  }

  /** Finds the addresses to call. Only a host that the operator has listed may have a private address. */
  async function findCallable(host: string, isNamed: boolean, deadline: AbortSignal): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    if (isNamed) return findPrivate(host, deadline);
    const addresses = (await findAddresses(host, deadline)).filter(isPublic);
    if (addresses.length === 0) throw new AddressRefused(`${host} has no public address`);
    return addresses;
  }

  /** Calls the first address that takes the connection. */
  async function call(sent: Sent, isNamed: boolean, party: string): Promise<Response> {
    const began = performance.now();
    const search = AbortSignal.timeout(responseMilliseconds);
    const addresses = await findCallable(plainHost(new URL(sent.url).hostname), isNamed, search);
    const left = responseMilliseconds - (performance.now() - began);
    // The host has no part in the start of the thread.
    await thread.prepare();
    const deadline = AbortSignal.timeout(Math.max(0, Math.floor(left)));
    let failure: unknown;
    for (const [index, address] of addresses.slice(0, mostAddresses).entries()) {
      const isLast = index === Math.min(addresses.length, mostAddresses) - 1;
      // Hosts that the operator has listed have no limit for each address, because they may share one proxy.
      const places = isNamed ? [] : [{ key: endSiteOf(address), atOnce: ofHost }];
      const milliseconds = isLast ? responseMilliseconds : connectMilliseconds;
      const exchange = () => thread.exchange({ ...sent, address, milliseconds, mostBytes }, deadline);
      try {
        return await turnsOfAddresses.take({ places, parties: [party] }, exchange, deadline);
      } catch (error) {
        if (!(error instanceof NotConnected)) throw error;
        failure = error.cause;
      }
    }
    throw failure;
  }

  /**
   * @throws {Error} without a complete response, or when the address is refused
   * @throws {Unavailable} if no connection is free in time, which is no fault of the application
   */
  return async (
    input: string | URL,
    init: RequestInit | undefined,
    { party, within = (run) => run() }: Turn,
  ): Promise<Response> => {
    const url = new URL(input);
    const isNamed = judge(url);
    const request = new Request(url, init);
    const { method } = request;
    const body = Buffer.from(await request.arrayBuffer());
    const headers = { ...Object.fromEntries(request.headers), 'user-agent': 'Janua', 'accept-encoding': 'identity' };
    const places = [
      { key: `party ${party}`, atOnce: ofParty },
      { key: `host ${plainHost(url.hostname)}`, atOnce: ofHost },
      // The same address is not fetched twice at a time.
      ...(method === 'GET' ? [{ key: url.href, atOnce: 1 }] : []),
    ];
    const run = () => within(() => call({ url: url.href, method, headers, body }, isNamed, party));
    return turns.take({ places, parties: [party] }, run, AbortSignal.timeout(waitingMilliseconds));
  };
}
