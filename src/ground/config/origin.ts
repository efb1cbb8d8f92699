import { isIP } from 'node:net';
import { bareHost, parseNetwork } from '../text/networks.ts';
import type { Settings } from './settings.ts';

export function isLoopbackHost(host: string): boolean {
  const bare = bareHost(host).toLowerCase();
  const [address] = isIP(bare) === 0 ? [] : (parseNetwork(bare.replace(/%.*$/, '')) ?? []);
  return bare === 'localhost' || address?.range() === 'loopback';
}

/** Returns the origin (scheme, host, port) of an http or https URL. Undefined if the URL has any other part. */
export function originOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const bare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  // Refuses a star in a host name. Wildcards are not supported, so it would never match.
  return bare && !url.hostname.includes('*') && /^https?:$/.test(url.protocol) ? url.origin : undefined;
}

export const isHttps = ({ PUBLIC_URL }: Settings): boolean => PUBLIC_URL?.startsWith('https:') ?? false;

/**
 * Tells whether the server answers its proxies alone. It does if other machines can reach it, and browsers must use https: every other peer
 * would send passwords in plain text.
 */
export const answersProxiesAlone = (settings: Settings): boolean =>
  !isLoopbackHost(settings.HOST) && isHttps(settings) && settings.ALLOW_PLAIN_HTTP === 'off';

/**
 * Returns the domain of passkeys. Undefined if browsers allow no passkeys (an IP address, or plain http beyond this machine), or if second
 * factors are off.
 */
export function findPasskeyDomain({ PUBLIC_URL = 'http://localhost', PASSKEY_DOMAIN, SECOND_FACTOR }: Settings) {
  const { protocol, hostname } = new URL(PUBLIC_URL);
  const isAllowed = isDomain(hostname) && (protocol === 'https:' || isLoopbackHost(hostname));
  return isAllowed && SECOND_FACTOR !== 'off' ? (PASSKEY_DOMAIN?.toLowerCase() ?? hostname) : undefined;
}

export const isDomain = (host: string): boolean => isIP(bareHost(host)) === 0;

export function isOwnDomain(domain: string, url = 'http://localhost'): boolean {
  const { hostname } = new URL(url);
  const isAbove = domain.includes('.') && hostname.endsWith(`.${domain.toLowerCase()}`);
  return isDomain(hostname) && (isAbove || hostname === domain.toLowerCase());
}

/** Returns the origins of our own pages. Without a public URL, these are all loopback names of this machine. */
export function publicOriginsOf({ PUBLIC_URL, PORT }: Settings): Set<string> {
  if (PUBLIC_URL !== undefined) return originsOf([PUBLIC_URL]);
  const origins = new Set<string>();
  if (PORT !== 0) addLoopbackOrigins(origins, PORT);
  return origins;
}

export const originsOf = (texts: readonly string[]) => new Set(texts.map((text) => originOf(text) ?? text));

export function addLoopbackOrigins(origins: Set<string>, port: number): void {
  for (const host of ['localhost', '127.0.0.1', '[::1]']) origins.add(new URL(`http://${host}:${port}`).origin);
}
