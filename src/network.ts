import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The network that one party may hold: an IPv4 address, or the /48 that an IPv6 end site gets (RFC 6177). `unknown` without an address. */
export const endSiteOf = (address: string | undefined): string =>
  address === undefined || !ipaddr.isValid(address) ? 'unknown' : networkOf(ipaddr.parse(address), 48);

/** The network of an address: of IPv6 its first bits, as `2001:db8::/48`; an IPv4 address is one by itself. */
export function networkOf(address: Address, ipv6Bits: 48 | 64): string {
  if (address instanceof ipaddr.IPv4) return address.toString();
  const parts = address.parts.map((part, index) => (index < ipv6Bits / 16 ? part : 0));
  return `${new ipaddr.IPv6(parts.flatMap((part) => [part >> 8, part & 255])).toString()}/${ipv6Bits}`;
}
