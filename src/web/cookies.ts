import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { CallerTrace } from '../audit/event.ts';
import { withoutBlanks } from './field-value.ts';

/** Every cookie of ours: for scripts invisible, for cross-site posts absent, for this host alone (ASVS 3.3.1 to 3.3.4). */
const attributes = 'Path=/; HttpOnly; SameSite=Lax';

/** Longest that browsers keep a cookie is 400 days; this is how long a browser stays a known one. */
const browserCookieSeconds = 365 * 24 * 60 * 60;

/** Accounts that a browser stays known to: a family's, or somebody's with one for work. */
const accountsKept = 4;

/** An identifier, what shows that it was made here, and one signature for each account. */
const browserShape = /^[\w-]{22}(?:\.[\w-]{43}){1,5}$/;

export interface Cookies {
  readonly sessionName: string;
  /** The session cookie's value, when the request carries exactly one of that name (a second one is planted or stale). */
  readSession(header: string | undefined): string | undefined;
  /** `Set-Cookie` for a session; it goes with the browser's closing, the server keeps the real limits. */
  session(value: string): string;
  endedSession(): string;
  /**
   * `Set-Cookie` that lets the browser be recognised as one in which this account has signed in before. It signs nobody in.
   * A browser keeps its identifier, and what says so of the last few other accounts.
   * @param fingerprint of the account's name and password, so that a new password makes every browser a stranger
   */
  browser(fingerprint: string, header: string | undefined): string;
  /** The identifier of a browser in which this account has signed in before, with the password that it has now. */
  findKnownBrowser(fingerprint: string, header: string | undefined): string | undefined;
  /** What was sent, without any of it, for the audit. */
  describe(header: string | undefined): Pick<CallerTrace, 'cookie' | 'browserCookie'>;
}

/**
 * @param secure whether browsers come by HTTPS: then the names carry `__Host-`, which no other host can set
 * @param key signs the `browser` cookie; asked for only when one is signed or checked
 */
export function createCookies({ secure, key }: { secure: boolean; key: () => Buffer }): Cookies {
  const sessionName = secure ? '__Host-session' : 'session';
  const browserName = secure ? '__Host-browser' : 'browser';
  const format = (name: string, value: string, more = '') => formatCookie(secure, name, value, more);

  // Neither an identifier nor a fingerprint has a colon in it, so that no two of them make the same text.
  const sign = (browserId: string, fingerprint: string) =>
    createHmac('sha256', key()).update(`browser:${browserId}:${fingerprint}`).digest('base64url');

  /** An identifier that was made here, and what was signed for accounts. */
  function readBrowser(header: string | undefined): { id: string; signatures: readonly string[] } | undefined {
    const value = readCookie(header, browserName) ?? '';
    if (!browserShape.test(value)) return undefined;
    const [id = '', made = '', ...signatures] = value.split('.');
    return isSame(made, sign(id, '')) ? { id, signatures } : undefined;
  }

  return {
    sessionName,
    readSession: (header) => readCookie(header, sessionName),
    session: (value) => format(sessionName, value),
    endedSession: () => format(sessionName, '', '; Max-Age=0'),
    browser(fingerprint, header) {
      const { id, signatures } = readBrowser(header) ?? { id: randomBytes(16).toString('base64url'), signatures: [] };
      const own = sign(id, fingerprint);
      const kept = [own, ...signatures.filter((signature) => signature !== own)].slice(0, accountsKept);
      return format(browserName, [id, sign(id, ''), ...kept].join('.'), `; Max-Age=${browserCookieSeconds}`);
    },
    findKnownBrowser(fingerprint, header) {
      const browser = readBrowser(header);
      if (browser === undefined) return undefined;
      const expected = sign(browser.id, fingerprint);
      return browser.signatures.some((signature) => isSame(signature, expected)) ? browser.id : undefined;
    },
    describe(header) {
      const sessions = readCookies(header, sessionName).length;
      return {
        cookie: sessions > 1 ? 'several' : sessions === 1 ? 'one' : 'none',
        browserCookie: readCookies(header, browserName).length === 0 ? 'none' : 'sent',
      };
    },
  };
}

/** @param more further attributes, as `; Max-Age=0` */
export function formatCookie(secure: boolean, name: string, value: string, more = ''): string {
  return `${name}=${value}; ${attributes}${secure ? '; Secure' : ''}${more}`;
}

/** The value of a cookie that appears exactly once. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  const values = readCookies(header, name);
  return values.length === 1 ? values[0] : undefined;
}

/** Names are compared with case, so that no other spelling passes for a name with the prefix `__Host-` (RFC 6265bis 5.6, 5.7). */
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

function isSame(presented: string, expected: string): boolean {
  return presented.length === expected.length && timingSafeEqual(Buffer.from(presented), Buffer.from(expected));
}
