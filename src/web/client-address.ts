import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type Address, networkOf } from '../text/networks.ts';
import { withoutBlanks } from './field-value.ts';

/** Where a request comes from, as far as Janua can tell. */
export interface Client {
  /** Undefined if unknown. An IPv6 address that stands for an IPv4 address becomes that IPv4 address. */
  readonly address: string | undefined;
  /** What the throttle counts as one client: an IPv4 address, or the /64 of one IPv6 customer. */
  readonly network: string | undefined;
  /** What one party may own: an IPv4 address, or the /48 of an IPv6 end site (RFC 6177). */
  readonly endSite: string | undefined;
  readonly from: 'connection' | 'trusted-proxy' | 'unknown';
}

/** @param forwardedFor all lines of the header `X-Forwarded-For` */
export type FindClient = (peer: string | undefined, forwardedFor: string | undefined) => Client;

/** Whether a connection comes from one of our proxies. Janua trusts the headers of those only. */
export type PeerCheck = (peer: string | undefined) => boolean;

export interface TrustedProxies {
  /** Whether an address belongs to one of our proxies. */
  readonly isTrusted: (address: Address) => boolean;
  /** Whether all connections come over Unix sockets, and Janua trusts the programs that may open these. Such peers have no address. */
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
 * Finds the address of the client (ASVS 4.1.3, 15.3.4). `X-Forwarded-For` counts only if the connection comes from a trusted
 * proxy. It is read from the right, because each proxy appends what it saw, and an attacker can send the part before.
 * The first address that is not a trusted proxy's belongs to the client.
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
