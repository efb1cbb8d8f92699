import { createHmac, randomBytes } from 'node:crypto';
import { isSame } from '../sessions/credential.ts';

/** The most accounts that one browser stays known to, such as those of a family, or the private and the work account of one user. */
const maxAccountsPerBrowser = 4;

/** The value of the cookie: an identifier, our signature of it, and one signature for each account. */
const shape = /^[\w-]{22}(?:\.[\w-]{43}){1,5}$/;

export type KnownBrowsers = ReturnType<typeof createKnownBrowsers>;

/** Reads and writes the cookie `browser` as values of headers. */
export interface BrowserCookie {
  read(header: string | undefined): string | undefined;
  header(value: string): string;
}

/** The cookie `browser` tells the throttle which accounts the browser has used. It authenticates no request. @param key 32 bytes or more */
export function createKnownBrowsers(cookie: BrowserCookie, key: Buffer) {
  // Neither an identifier nor a fingerprint contains a colon, so two pairs never make the same text.
  const sign = (id: string, fingerprint: string) =>
    createHmac('sha256', key).update(`browser:${id}:${fingerprint}`).digest('base64url');

  function read(header: string | undefined): { id: string; signatures: readonly string[] } | undefined {
    const value = cookie.read(header) ?? '';
    if (!shape.test(value)) return undefined;
    const [id = '', made = '', ...signatures] = value.split('.');
    return isSame(made, sign(id, '')) ? { id, signatures } : undefined;
  }

  return {
    /**
     * Returns the header that makes the browser known to an account, besides its other accounts.
     * @param fingerprint of the account's name and password: after a new password, no browser is known
     */
    cookie(fingerprint: string, header: string | undefined): string {
      const { id, signatures } = read(header) ?? { id: randomBytes(16).toString('base64url'), signatures: [] };
      const own = sign(id, fingerprint);
      const kept = [own, ...signatures.filter((signature) => signature !== own)].slice(0, maxAccountsPerBrowser);
      return cookie.header([id, sign(id, ''), ...kept].join('.'));
    },
    find(fingerprint: string, header: string | undefined): string | undefined {
      const browser = read(header);
      if (browser === undefined) return undefined;
      const expected = sign(browser.id, fingerprint);
      return browser.signatures.some((signature) => isSame(signature, expected)) ? browser.id : undefined;
    },
  };
}
