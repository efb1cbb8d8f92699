import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type Address, networkOf } from '../text/networks.ts';
import { withoutBlanks } from './field-value.ts';

/** Where a request comes from, as far as can be told. */
export interface Client {
  /** Undefined where it cannot be told. IPv4 also where it came as an IPv6 address that means one. */
  readonly address: string | undefined;
  /** What counts as one and the same for the throttle: an IPv4 address, or the /64 that one IPv6 customer has. */
  readonly network: string | undefined;
  /** What one party may hold: an IPv4 address, or the /48 that an IPv6 end site gets (RFC 6177). */
  readonly endSite: string | undefined;
  readonly from: 'connection' | 'trusted-proxy' | 'unknown';
}

/** @param forwardedFor the header `X-Forwarded-For`, of all its lines */
export type FindClient = (peer: string | undefined, forwardedFor: string | undefined) => Client;

/** Whether a connection comes from one of our proxies, whose word then counts. */
export type PeerCheck = (peer: string | undefined) => boolean;

export interface TrustedProxies {
  /** Whether an address is one of theirs. */
  readonly isTrusted: (address: Address) => boolean;
  /** Whether all connections come over Unix sockets, which have no address, and the programs that may open these are trusted. */
  readonly trustsSockets: () => boolean;
}

export function createPeerCheck({ isTrusted, trustsSockets }: TrustedProxies): PeerCheck {
  return (peer) => {
    if (peer === undefined) return trustsSockets();
    const connection = parseAddress(peer);
    return connection !== undefined && isTrusted(connection);
  };
}

const unknown: Client = { address: undefined, network: undefined, endSite: undefined, from: 'unknown' };

/**
 * Tells who is at the other end (ASVS 4.1.3, 15.3.4). What `X-Forwarded-For` says counts only where the connection comes from a
 * trusted proxy. It is read from the right, since each proxy adds what it saw at the end, and anybody can send what stands before:
 * the first address that is no trusted proxy's is the client's.
 */
export function createFindClient({ isTrusted, trustsSockets }: TrustedProxies): FindClient {
  return (peer, forwardedFor) => {
    const connection = parseAddress(peer ?? '');
    if (connection === undefined) {
      if (peer !== undefined || !trustsSockets()) return unknown;
    } else if (!isTrusted(connection)) return clientAt(connection, 'connection');
    let client: Address | undefined;
    for (const hop of (forwardedFor ?? '').split(',').toReversed()) {
      client = parseAddress(withoutBlanks(hop));
      if (client === undefined) return unknown;
      if (!isTrusted(client)) break;
    }
    return client === undefined ? unknown : clientAt(client, 'trusted-proxy');
  };
}

function clientAt(address: Address, from: Client['from']): Client {
  return { address: address.toString(), network: networkOf(address, 64), endSite: networkOf(address, 48), from };
}

/** Some proxies add the port, and put an IPv6 address in brackets. */
function parseAddress(text: string): Address | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text);
  const address = (bare?.[1] ?? bare?.[2] ?? text).split('%', 1)[0] ?? '';
  // Stricter than the parser, which also takes octal and short forms.
  return isIP(address) === 0 ? undefined : ipaddr.process(address);
}
