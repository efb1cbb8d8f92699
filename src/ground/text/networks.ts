import ipaddr from 'ipaddr.js';

/** Removes the brackets that an IPv6 address has in a URL. */
export const bareHost = (host: string): string => host.replace(/^\[|\]$/g, '');

/**
 * The most characters of a host with its port (RFC 1035 2.3.4). A longer host in a request is refused before it is parsed, because URL
 * parsers take quadratic time.
 */
export const longestHost = 261;

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A network: all addresses that begin with the same bits. */
type Network = [address: Address, bits: number];

/** The entry in TRUSTED_PROXIES for programs that connect over a Unix socket, and so have no address. */
export const unixSockets = 'unix';

/** Reads an address, or a network such as `10.0.0.0/8`. Undefined for any other text. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = '', length] = /^([\da-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  if (!ipaddr.IPv6.isValid(address) && !ipaddr.IPv4.isValidFourPartDecimal(address)) return undefined;
  const written = ipaddr.parse(address);
  const longest = written.kind() === 'ipv4' ? 32 : 128;
  const bits = length === undefined ? longest : Number(length);
  // /0 would trust every client, so each client could choose its own address.
  if (bits === 0 || bits > longest) return undefined;
  const isMapped = written instanceof ipaddr.IPv6 && written.isIPv4MappedAddress();
  if (!isMapped) return [written, bits];
  return bits <= 96 ? undefined : [written.toIPv4Address(), bits - 96];
}

/** @param networks as `parseNetwork` takes them */
export function createNetworkCheck(networks: readonly string[]): (address: Address) => boolean {
  const named = networks.map(parseNetwork).filter((network) => network !== undefined);
  const ranges = { named };
  return (address) => ipaddr.subnetMatch(address, ranges, 'other') === 'named';
}

/**
 * Returns the end site of an address: the network that one customer of a provider may hold as a whole, which is an IPv4 address or an IPv6
 * /48 (RFC 6177). `unknown` without an address.
 */
export const endSiteOf = (address: string | undefined): string => networkOf(address, 48) ?? 'unknown';

/**
 * Returns the network of an address. For IPv6, the network is the first `ipv6Bits` bits, such as `2001:db8::/48`. An IPv4 address is its
 * own network.
 */
export function networkOf(text: string | undefined, ipv6Bits: 48 | 64): string | undefined {
  if (text === undefined || !ipaddr.isValid(text)) return undefined;
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv4) return address.toString();
  const parts = address.parts.map((part, index) => (index < ipv6Bits / 16 ? part : 0));
  return `${new ipaddr.IPv6(parts.flatMap((part) => [part >> 8, part & 255])).toString()}/${ipv6Bits}`;
}

/** The IPv6 addresses of the internet (IANA). All other IPv6 addresses are for special uses. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

/** Tells whether an address is on the internet: not in a private network, not of this machine, and not for any special use (RFC 6890). */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text);
  if (address instanceof ipaddr.IPv4) return address.range() === 'unicast';
  // An address of NAT64 leads to the IPv4 address in its last 32 bits.
  if (address.range() === 'rfc6052') return isPublicAddress(address.toByteArray().slice(12).join('.'));
  return address.range() === 'unicast' && address.match(globalUnicast);
}
