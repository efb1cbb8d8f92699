import { percentDecoded } from './percent-decoding.ts';

export const homePath = '/auth/home';

export const accountPath = '/account';

export const confirmPath = (next: string) => `/auth/confirm?next=${encodeURIComponent(next)}`;

export const secondFactorPath = '/auth/second-factor';

/**
 * Longest accepted `next`, in characters. A longer one is dropped, and login still works. A cookie holds it during a sign-in with another
 * provider, and browsers keep 4,096 bytes of a cookie.
 */
export const maxLength = 2800;

/** Longest path of a login page with the longest `next` in its query. Each character of `next` may be escaped. */
export const longestPage = 8192;

/** Stands for our own origin. Its name does not matter, only whether a path leaves it. */
const base = 'http://janua.invalid';

/**
 * A path in which browsers find no host, as in `//host`. Browsers drop tabs and line breaks first. Other texts are refused before they are
 * parsed, because the parser takes quadratic time for a long host.
 */
const pathShape = /^\/(?![\t\n\r]*[/\\])/;

/** Returns `next` as browsers parse it, or undefined if it leaves this origin (ASVS 3.7.2, OWASP Unvalidated Redirects CS). */
export function safeNext(next: unknown, longest = maxLength): string | undefined {
  if (typeof next !== 'string' || next.length > longest || !pathShape.test(next) || !URL.canParse(next, base)) {
    return undefined;
  }
  const url = new URL(next, base);
  if (url.origin !== base || startsOddly(url.pathname)) return undefined;
  const path = url.pathname + url.search + url.hash;
  // Checked again, because escaping non-ASCII characters makes the path longer.
  return path.length > longest ? undefined : path;
}

/** Rounds of decoding that are checked. Each proxy may decode a path once more. */
const mostDecodings = 5;

/** Browsers and proxies resolve dot segments. Browsers first drop these control characters. */
const hasDotSegment = (path: string) => /[/\\]\.\.?[/\\;]/.test(path.replaceAll(/[\t\n\r]/g, ''));

/** Whether a proxy or browser could still read the path as `//host` after decoding it repeatedly. */
function startsOddly(path: string): boolean {
  let decoded = path;
  for (let round = 0; round <= mostDecodings; round += 1) {
    if (/^\/[/\\\0-\x20]/.test(decoded) || hasDotSegment(decoded)) return true;
    const before = decoded;
    decoded = percentDecoded(before);
    if (decoded === before) return false;
  }
  return true;
}

export function pathWithNext(path: string, next: unknown): string {
  const safe = safeNext(next);
  return safe === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}next=${encodeURIComponent(safe)}`;
}
