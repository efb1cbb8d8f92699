import { createHmac, randomBytes } from 'node:crypto';
import { isSame } from '../sessions/credential.ts';
import { browserCookieName, formatCookie, readCookie } from '../web/cookies.ts';

/** Longest that browsers keep a cookie is 400 days; this is how long a browser stays a known one. */
const browserCookieSeconds = 365 * 24 * 60 * 60;

/** Accounts that a browser stays known to: a family's, or one person's at home and at work. */
const accountsKept = 4;

/** An identifier, what shows that it was made here, and one signature for each account. */
const shape = /^[\w-]{22}(?:\.[\w-]{43}){1,5}$/;

/** The cookie `browser`, which tells the throttle that an account has signed in with this browser before. It signs nobody in. */
export interface KnownBrowsers {
  /**
   * `Set-Cookie` for a browser in which an account has just signed in. It keeps its identifier, and what says so of the last few others.
   * @param fingerprint of the account's name and password, so that a new password makes every browser a stranger
   */
  cookie(fingerprint: string, header: string | undefined): string;
  /** The identifier of a browser in which this account has signed in before, with the password that it has now. */
  find(fingerprint: string, header: string | undefined): string | undefined;
}

/**
 * @param secure whether browsers come by HTTPS
 * @param key 32 bytes or more; asked for only when a cookie is signed or checked
 */
export function createKnownBrowsers({ secure, key }: { secure: boolean; key: () => Buffer }): KnownBrowsers {
  const cookieName = browserCookieName(secure);

  // Neither an identifier nor a fingerprint has a colon in it, so that no two of them make the same text.
  const sign = (id: string, fingerprint: string) =>
    createHmac('sha256', key()).update(`browser:${id}:${fingerprint}`).digest('base64url');

  /** An identifier that was made here, and what was signed for accounts. */
  function read(header: string | undefined): { id: string; signatures: readonly string[] } | undefined {
    const value = readCookie(header, cookieName) ?? '';
    if (!shape.test(value)) return undefined;
    const [id = '', made = '', ...signatures] = value.split('.');
    return isSame(made, sign(id, '')) ? { id, signatures } : undefined;
  }

  return {
    cookie(fingerprint, header) {
      const { id, signatures } = read(header) ?? { id: randomBytes(16).toString('base64url'), signatures: [] };
      const own = sign(id, fingerprint);
      const kept = [own, ...signatures.filter((signature) => signature !== own)].slice(0, accountsKept);
      return formatCookie(
        secure,
        cookieName,
        [id, sign(id, ''), ...kept].join('.'),
        `; Max-Age=${browserCookieSeconds}`,
      );
    },
    find(fingerprint, header) {
      const browser = read(header);
      if (browser === undefined) return undefined;
      const expected = sign(browser.id, fingerprint);
      return browser.signatures.some((signature) => isSame(signature, expected)) ? browser.id : undefined;
    },
  };
}
