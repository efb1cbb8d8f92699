/** The loopback addresses of RFC 8252 7.3, and `localhost`, because many programs register it. */
const loopbackHosts: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);

export const isLoopbackAddress = ({ protocol, hostname }: URL) => protocol === 'http:' && loopbackHosts.has(hostname);

/** A private-use scheme is a domain name in reverse order, so it has a dot (RFC 8252 7.1). No browser runs such a scheme as a script. */
export const isPrivateUse = ({ protocol }: URL) => protocol.includes('.');

/** Tells whether any program on the user's machine could receive the response that is sent to the address (RFC 8252 8.6). */
export function isNativeAddress(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return !['http:', 'https:'].includes(protocol) || loopbackHosts.has(hostname);
}

export type RedirectFault = 'not-a-redirect' | 'redirect-without-tls' | 'redirect-of-program';

/**
 * Finds why a client may not have an address that browsers are redirected to. Undefined if it may. A client may mix addresses of all kinds.
 * @param isPublic true if the client can keep no secret. Only a public client may have a scheme of its own (RFC 8252 7.1)
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

/**
 * Tells whether a client has registered a redirect address. On loopback the port may differ, because a program listens on any free port
 * (RFC 8252 7.3). Everything else must be the same.
 */
export function isRegistered(address: string, registered: readonly string[]): boolean {
  if (registered.includes(address)) return true;
  const portless = withoutPort(address);
  return portless !== undefined && registered.some((one) => withoutPort(one) === portless);
}

/** Tells whether an origin is that of a redirect address. On loopback the port may differ. */
export const isSameOrigin = (origin: string, registered: string): boolean =>
  origin !== 'null' && isRegistered(origin, [registered]);

/** Returns an http address on loopback without its port. Undefined for other addresses. */
function withoutPort(address: string): string | undefined {
  const [whole = '', origin] =
    /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d{1,5})?(?=[/?]|$)/i.exec(address) ?? [];
  return origin !== undefined && URL.canParse(address) ? origin + address.slice(whole.length) : undefined;
}

/** @param privateHosts hosts that the operator lists, which may be called without TLS */
export function isBackchannelUri(text: string, privateHosts: readonly string[]): boolean {
  const url = parseAddress(text);
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && privateHosts.includes(url.hostname));
}

/** Tells whether pages may link to an address. */
export function isPage(text: string): boolean {
  // Without the slashes, as in `https:path`, browsers read the address as a path of the page that has the link.
  const url = /^https?:\/\//i.test(text) ? parseAddress(text) : undefined;
  return url !== undefined && isWebAddress(url);
}

/** RFC 8707 2: absolute and without a fragment. The standard advises against a query. */
export const isResourceUri = (text: string): boolean => isPage(text) && !text.includes('?');

/** Tells whether browsers request the address from a server: on the web, or on the user's own machine. */
export const isWebAddress = (url: URL) => url.protocol === 'https:' || isLoopbackAddress(url);

/**
 * Accepts printable ASCII only, as in RFC 3986, because applications send addresses as text, and the texts are compared. Refuses a
 * wildcard, because it would never match, and a user name, because it would hide the host from a reader.
 */
function parseAddress(text: string): URL | undefined {
  if (text.length > 255 || !/^[a-z][a-z\d+.-]*:[!-~]+$/i.test(text) || /[#*\\]/.test(text)) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.username === '' && url.password === '' ? url : undefined;
}
