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

/** @param kind where a browser is led, or where this server sends a request */
export function isRedirectUri(text: string, { isPublic }: { readonly isPublic: boolean }): boolean {
  const url = parseAddress(text);
  return url !== undefined && (isWebAddress(url) || (isPublic && isPrivateUse(url)));
}

/** @param privateHosts hosts that the operator lists, which may be asked without TLS */
export function isBackchannelUri(text: string, privateHosts: readonly string[]): boolean {
  const url = parseAddress(text);
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && privateHosts.includes(url.hostname));
}

/** RFC 8707 2: absolute and without a fragment. The standard advises against a query. */
export function isResourceUri(text: string): boolean {
  const url = parseAddress(text);
  return url !== undefined && isWebAddress(url) && !text.includes('?');
}

const isWebAddress = (url: URL) => url.protocol === 'https:' || isLoopbackAddress(url);

/**
 * Only printable ASCII, as RFC 3986 writes addresses: applications send them as text, and texts are compared. A wildcard would never
 * match. A user name in an address would hide its host from a reader.
 */
function parseAddress(text: string): URL | undefined {
  if (text.length > 255 || !/^[a-z][a-z\d+.-]*:[!-~]+$/i.test(text) || /[#*\\]/.test(text)) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.username === '' && url.password === '' ? url : undefined;
}
