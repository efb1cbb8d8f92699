import { pendingSeconds } from '../core/access/factor.ts';
import { withoutBlanks } from './field-value.ts';

/** All our cookies are hidden from scripts, not sent with cross-site posts, and limited to this host (ASVS 3.3.1 to 3.3.4). */
const attributes = 'Path=/; HttpOnly; SameSite=Lax';

/** Seconds for which a browser stays known, and its language is stored. Browsers keep a cookie for at most 400 days. */
const yearSeconds = 365 * 24 * 60 * 60;

/** @param secure whether browsers use HTTPS */
export const sessionCookie = (secure: boolean, maxAgeSeconds?: number) =>
  createCookie('session', secure, maxAgeSeconds);
export const browserCookie = (secure: boolean) => createCookie('browser', secure, yearSeconds);
/** For a login that waits for its second factor. */
export const pendingCookie = (secure: boolean) => createCookie('pending', secure, pendingSeconds);
export const ceremonyCookie = (secure: boolean) => createCookie('ceremony', secure, 600);
/** @param days needed only to set the cookie */
export const trustedCookie = (secure: boolean, days = 0) => createCookie('trusted', secure, days * 86_400);
/**
 * Marks a browser whose user has logged out. The next login at another provider then asks for the account, because another person may use
 * the browser. Lasts a day.
 */
export const loggedOutCookie = (secure: boolean) => createCookie('logged-out', secure, 24 * 60 * 60);
export const languageCookie = (secure: boolean) => createCookie('language', secure, yearSeconds);

/**
 * @param secure whether browsers use HTTPS. The name then starts with `__Host-`, which no other host can set
 * @param maxAgeSeconds undefined if the cookie ends when the browser closes
 */
export function createCookie(name: string, secure: boolean, maxAgeSeconds?: number) {
  const fullName = secure ? `__Host-${name}` : name;
  const format = (value: string, maxAge: string) =>
    `${fullName}=${value}; ${attributes}${secure ? '; Secure' : ''}${maxAge}`;
  const maxAge = maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`;

  return {
    name: fullName,
    header: (value: string) => format(value, maxAge),
    removal: format('', '; Max-Age=0'),
    /** The value of a cookie that appears exactly once. With two, one is planted or stale. */
    read(header: string | undefined): string | undefined {
      const values = readCookies(header, fullName);
      return values.length === 1 ? values[0] : undefined;
    },
    amount(header: string | undefined): 'none' | 'one' | 'several' {
      const { length } = readCookies(header, fullName);
      return length > 1 ? 'several' : length === 1 ? 'one' : 'none';
    },
  };
}

/** Names are case-sensitive, so that no other spelling passes as a `__Host-` name (RFC 6265bis 5.6, 5.7). */
function readCookies(header: string | undefined, name: string): string[] {
  if (header === undefined) return [];
  const values: string[] = [];
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals === -1 || withoutBlanks(pair.slice(0, equals)) !== name) continue;
    values.push(withoutBlanks(pair.slice(equals + 1)));
  }
  return values;
}
