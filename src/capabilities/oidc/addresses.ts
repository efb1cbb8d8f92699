/** The loopback addresses of RFC 8252 7.3. `localhost` too, because many programs register it. */
const loopbackHosts: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);

export const isLoopbackAddress = ({ protocol, hostname }: URL) => protocol === 'http:' && loopbackHosts.has(hostname);

/** A private-use scheme is a domain name in reverse order, so it has a dot (RFC 8252 7.1). No browser runs such a scheme as a script. */
export const isPrivateUse = ({ protocol }: URL) => protocol.includes('.');

/** Whether a program on the user's machine can get what is sent to the address (RFC 8252 8.6). */
export function isNativeAddress(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return !['http:', 'https:'].includes(protocol) || loopbackHosts.has(hostname);
}

export type RedirectFault = 'not-a-redirect' | 'redirect-without-tls' | 'redirect-of-program';

/**
 * Why users cannot be led to an address. Undefined if they can. Addresses of all kinds may stand beside each other on one client.
 * @param isPublic whether the client can keep no secret: only a program has a scheme of its own (RFC 8252 7.1)
 */
export function findRedirectFault(
  text: string,
  { isPublic }: { readonly isPublic: boolean },
): RedirectFault | undefined {
  const url = parseAddress(text);
  if (url === undefined) return 'not-a-redirect';
  if (isWebAddress(url)) return undefined;
  if (url.protocol === 'http:') return 'redirect-without-tls';
  if (!isPrivateUse(url)) return 'not-a-redirect';
  return isPublic ? undefined : 'redirect-of-program';
}

/** Whether a redirect address is one of those of a client. A program listens on any port of its machine (RFC 8252 7.3). All else must be the same. */
export function isRegistered(address: string, registered: readonly string[]): boolean {
  if (registered.includes(address)) return true;
  const portless = withoutPort(address);
  return portless !== undefined && registered.some((one) => withoutPort(one) === portless);
}

/** Whether a page of an origin is one of the application whose redirect address has the other origin. On loopback the port may differ. */
export const isSameOrigin = (origin: string, registered: string): boolean =>
  origin !== 'null' && isRegistered(origin, [registered]);

/** An address at http on loopback, without its port. Undefined for any other one. */
function withoutPort(address: string): string | undefined {
  const [whole = '', origin] =
    /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d{1,5})?(?=[/?]|$)/i.exec(address) ?? [];
  return origin !== undefined && URL.canParse(address) ? origin + address.slice(whole.length) : undefined;
}

/** @param privateHosts hosts that the operator lists, which may be asked without TLS */
export function isBackchannelUri(text: string, privateHosts: readonly string[]): boolean {
  const url = parseAddress(text);
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && privateHosts.includes(url.hostname));
}

/** Whether users may be led to an address in a link. */
export function isPage(text: string): boolean {
  // Without the slashes, a page of the same scheme would lead to one of its own.
  const url = /^https?:\/\//i.test(text) ? parseAddress(text) : undefined;
  return url !== undefined && isWebAddress(url);
}

/** RFC 8707 2: absolute and without a fragment. The standard advises against a query. */
export const isResourceUri = (text: string): boolean => isPage(text) && !text.includes('?');

/** Whether browsers carry what is sent there to a server: on the web, or on the user's own machine. */
export const isWebAddress = (url: URL) => url.protocol === 'https:' || isLoopbackAddress(url);

/**
 * Only printable ASCII, as RFC 3986 writes addresses: applications send them as text, and texts are compared. A wildcard would never
 * match. A user name in an address would hide its host from a reader.
 */
function parseAddress(text: string): URL | undefined {
  if (text.length > 255 || !/^[a-z][a-z\d+.-]*:[!-~]+$/i.test(text) || /[#*\\]/.test(text)) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.username === '' && url.password === '' ? url : undefined;
}
