import { withoutBlanks } from './field-value.ts';

/** All our cookies are hidden from scripts, not sent with cross-site posts, and limited to this host (ASVS 3.3.1 to 3.3.4). */
const attributes = 'Path=/; HttpOnly; SameSite=Lax';

/** @param secure whether browsers use HTTPS. The names then start with `__Host-`, which no other host can set. */
export const sessionCookieName = (secure: boolean) => (secure ? '__Host-session' : 'session');
export const browserCookieName = (secure: boolean) => (secure ? '__Host-browser' : 'browser');
export const failureCookieName = (secure: boolean) => (secure ? '__Host-login-failure' : 'login-failure');

/** @param more further attributes, such as `; Max-Age=0` */
export function formatCookie(secure: boolean, name: string, value: string, more = ''): string {
  return `${name}=${value}; ${attributes}${secure ? '; Secure' : ''}${more}`;
}

/** The value of a cookie that appears exactly once. With two, one is planted or stale. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  const values = readCookies(header, name);
  return values.length === 1 ? values[0] : undefined;
}

/** Names are case-sensitive, so that no other spelling passes as a `__Host-` name (RFC 6265bis 5.6, 5.7). */
export function readCookies(header: string | undefined, name: string): string[] {
  if (header === undefined) return [];
  const values: string[] = [];
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals === -1 || withoutBlanks(pair.slice(0, equals)) !== name) continue;
    values.push(withoutBlanks(pair.slice(equals + 1)));
  }
  return values;
}
