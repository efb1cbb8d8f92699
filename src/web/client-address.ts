import { type AddressInfo, isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Log } from '../ground/faults/log.ts';
import { type Address, createNetworkCheck, networkOf, unixSockets } from '../ground/text/networks.ts';
import { withoutBlanks } from './field-value.ts';

interface Client {
  /** Undefined if unknown. An IPv6 address that stands for an IPv4 address becomes that IPv4 address. */
  readonly address: string | undefined;
  readonly from: 'connection' | 'trusted-proxy' | 'unknown';
}

export type TrustedProxies = ReturnType<typeof createTrustedProxies>;

const unknown: Client = { address: undefined, from: 'unknown' };

/** Janua trusts the forwarded headers of these proxies only. @param names networks, and perhaps `unix` for Unix sockets */
export function createTrustedProxies(names: readonly string[]) {
  const isTrusted = createNetworkCheck(names);
  const namesSockets = names.includes(unixSockets);
  /** Whether the app listens on Unix sockets only. A peer without an address is then on one of them. */
  let onSocketsAlone = false;

  const isProxy = (peer: string | undefined, connection: Address | undefined) =>
    connection === undefined ? peer === undefined && namesSockets && onSocketsAlone : isTrusted(connection);

  /** Whether a connection comes from one of our proxies. */
  const isTrustedPeer = (peer: string | undefined) => isProxy(peer, parseAddress(peer ?? ''));

  /**
   * Finds the address of the client (ASVS 4.1.3, 15.3.4). `X-Forwarded-For` counts only if the connection comes from a trusted
   * proxy. It is read from the right, because each proxy appends what it saw, and an attacker can send the part before.
   * The first address that is not a trusted proxy's belongs to the client.
   * @param forwardedFor all lines of the header
   */
  function findClient(peer: string | undefined, forwardedFor: string | undefined): Client {
    const connection = parseAddress(peer ?? '');
    if (!isProxy(peer, connection))
      return connection === undefined ? unknown : { address: connection.toString(), from: 'connection' };
    let client: Address | undefined;
    for (const hop of (forwardedFor ?? '').split(',').toReversed()) {
      client = parseAddress(withoutBlanks(hop));
      if (client === undefined) return unknown;
      if (!isTrusted(client)) break;
    }
    return client === undefined ? unknown : { address: client.toString(), from: 'trusted-proxy' };
  }

  /**
   * Call it once the app listens. Peers on a Unix socket have no address, so the operator has to say whether they are proxies.
   * `TRUSTED_PROXIES=unix` has an effect only after this call, and only if all addresses are sockets. Logs the effect on these peers.
   */
  function noteListening(addresses: readonly (AddressInfo | string)[], log: Pick<Log, 'info' | 'warn'>): void {
    const onSockets = addresses.some((address) => typeof address === 'string');
    onSocketsAlone = !addresses.some((address) => typeof address === 'object');
    const warn = (message: string) => log.warn({ event: 'unix_socket' }, message);
    if (!onSockets && namesSockets)
      warn(
        'TRUSTED_PROXIES=unix has no effect, because the app does not listen on a Unix socket: name the addresses that your proxies connect from, such as 127.0.0.1',
      );
    else if (onSockets && !namesSockets)
      warn(
        'clients on a Unix socket have no address, so they share the limits of one client: set TRUSTED_PROXIES=unix if only your proxy connects to the socket',
      );
    else if (onSockets && !onSocketsAlone)
      warn(
        'the app also listens on a port, so the server cannot tell which clients use the Unix socket: TRUSTED_PROXIES=unix has no effect',
      );
    else if (onSockets)
      log.info({ event: 'unix_socket' }, 'X-Forwarded-For counts from every program that may open the Unix socket');
  }

  return { isTrustedPeer, findClient, noteListening };
}

/** Parses an address, to which some proxies add the port, or brackets for IPv6. Undefined for any other text. */
export function parseAddress(text: string): Address | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text);
  const address = (bare?.[1] ?? bare?.[2] ?? text).split('%', 1)[0] ?? '';
  // Stricter than the parser, which also takes octal and short forms.
  return isIP(address) === 0 ? undefined : ipaddr.process(address);
}

/**
 * Finds the network that the throttle counts: for IPv6 the /64, or the /48 if the text ends with it. `unknown` stands for all clients
 * without a known address. Undefined for any other text.
 */
export function countedNetwork(address: string): string | undefined {
  const bits = address.endsWith('/48') ? 48 : 64;
  const network = networkOf(parseAddress(address.replace(/\/(?:48|64)$/, ''))?.toString(), bits);
  return network ?? (address === 'unknown' ? address : undefined);
}
