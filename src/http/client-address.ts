import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Where a request comes from, as far as can be told. */
export interface Client {
  /** Undefined where it cannot be told. IPv4 also where it came as an IPv6 address that means one. */
  readonly address: string | undefined;
  /** What counts as one and the same for the throttle: an IPv4 address, or the /64 that one IPv6 customer has. */
  readonly network: string | undefined;
  readonly from: 'connection' | 'trusted-proxy' | 'unknown';
}

/** @param forwardedFor the header `X-Forwarded-For`, of all its lines */
export type FindClient = (peer: string | undefined, forwardedFor: string | undefined) => Client;

/** Whether a connection comes from one of our proxies, whose word then counts. */
export type PeerCheck = (peer: string | undefined) => boolean;

/** @param isTrusted whether an address is one of theirs */
export function createPeerCheck(isTrusted: (address: Address) => boolean): PeerCheck {
  return (peer) => {
    const connection = parseAddress(peer ?? '');
    return connection !== undefined && isTrusted(connection);
  };
}

const unknown: Client = { address: undefined, network: undefined, from: 'unknown' };

/**
 * Tells who is at the other end (ASVS 4.1.3, 15.3.4). What `X-Forwarded-For` says counts only where the connection comes from a
 * trusted proxy. It is read from the right, since each proxy adds what it saw at the end, and anybody can send what stands before:
 * the first address that is no trusted proxy's is the client's.
 * @param isTrusted whether an address is one of our proxies
 */
export function createFindClient(isTrusted: (address: Address) => boolean): FindClient {
  return (peer, forwardedFor) => {
    const connection = parseAddress(peer ?? '');
    if (connection === undefined) return unknown;
    if (!isTrusted(connection)) return clientAt(connection, 'connection');
    let client: Address | undefined;
    for (const hop of (forwardedFor ?? '').split(',').toReversed()) {
      client = parseAddress(hop.trim());
      if (client === undefined) return unknown;
      if (!isTrusted(client)) break;
    }
    return client === undefined ? unknown : clientAt(client, 'trusted-proxy');
  };
}

function clientAt(address: Address, from: Client['from']): Client {
  return { address: address.toString(), network: networkOf(address), from };
}

function networkOf(address: Address): string {
  if (address.kind() === 'ipv4') return address.toString();
  const parts = [...(address as ipaddr.IPv6).parts.slice(0, 4), 0, 0, 0, 0];
  return `${new ipaddr.IPv6(parts.flatMap((part) => [part >> 8, part & 255])).toString()}/64`;
}

/** Some proxies add the port, and put an IPv6 address in brackets. */
function parseAddress(text: string): Address | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text);
  const address = (bare?.[1] ?? bare?.[2] ?? text).split('%', 1)[0] ?? '';
  // Stricter than the parser, which also takes octal and short forms.
  return isIP(address) === 0 ? undefined : ipaddr.process(address);
}
