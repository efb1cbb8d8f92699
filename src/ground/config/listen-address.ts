import { isIPv6 } from 'node:net';

/** Reads `HOST:PORT`, `[IPV6]:PORT` or `PORT`. With a port alone, only this machine can reach the server. Undefined for any other text. */
export function parseListenAddress(text: string): { host: string; port: number } | undefined {
  const [, bracketed, name, digits = ''] = /^(?:(?:\[([\da-f:.]+)\]|([\w.-]+)):)?(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535 || (bracketed !== undefined && !isIPv6(bracketed))) return undefined;
  return { host: bracketed ?? name ?? '127.0.0.1', port };
}
