import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { CallerTrace } from '../audit/event.ts';

/** Every cookie of ours: for scripts invisible, for cross-site posts absent, for this host alone (ASVS 3.3.1 to 3.3.4). */
const attributes = 'Path=/; HttpOnly; SameSite=Lax';

/** Longest that browsers keep a cookie is 400 days; this is how long a browser stays a known one. */
const browserCookieSeconds = 365 * 24 * 60 * 60;

export interface Cookies {
  readonly sessionName: string;
  /** The session cookie's value, when the request carries exactly one of that name (a second one is planted or stale). */
  readSession(header: string | undefined): string | undefined;
  /** `Set-Cookie` for a session; it goes with the browser's closing, the server keeps the real limits. */
  session(value: string): string;
  endedSession(): string;
  /**
   * `Set-Cookie` that lets the browser be recognised as one in which this user has signed in before. It signs nobody in.
   * A browser that carries one for this user keeps its identifier.
   */
  browser(userId: string, header: string | undefined): string;
  /** The identifier of a browser in which this user has signed in before. */
  findKnownBrowser(userId: string, header: string | undefined): string | undefined;
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
  const format = (name: string, value: string, more = '') =>
    `${name}=${value}; ${attributes}${secure ? '; Secure' : ''}${more}`;

  const sign = (browserId: string, userId: string) =>
    createHmac('sha256', key()).update(`browser:${browserId}:${userId}`).digest('base64url');

  function findKnownBrowser(userId: string, header: string | undefined): string | undefined {
    const [browserId, signature] = readCookie(header, browserName)?.split('.', 2) ?? [];
    if (browserId === undefined || signature === undefined) return undefined;
    const presented = Buffer.from(signature);
    const expected = Buffer.from(sign(browserId, userId));
    return presented.length === expected.length && timingSafeEqual(presented, expected) ? browserId : undefined;
  }

  return {
    sessionName,
    readSession: (header) => readCookie(header, sessionName),
    session: (value) => format(sessionName, value),
    endedSession: () => format(sessionName, '', '; Max-Age=0'),
    browser(userId, header) {
      const browserId = findKnownBrowser(userId, header) ?? randomBytes(16).toString('base64url');
      return format(browserName, `${browserId}.${sign(browserId, userId)}`, `; Max-Age=${browserCookieSeconds}`);
    },
    findKnownBrowser,
    describe(header) {
      const sessions = readCookies(header, sessionName).length;
      return {
        cookie: sessions > 1 ? 'several' : sessions === 1 ? 'one' : 'none',
        browserCookie: readCookies(header, browserName).length === 0 ? 'none' : 'sent',
      };
    },
  };
}

/** The value of a cookie that appears exactly once. */
function readCookie(header: string | undefined, name: string): string | undefined {
  const values = readCookies(header, name);
  return values.length === 1 ? values[0] : undefined;
}

/** Names are compared with case (RFC 6265bis, cookie prefixes). */
function readCookies(header: string | undefined, name: string): string[] {
  if (header === undefined) return [];
  const values: string[] = [];
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals !== -1 && pair.slice(0, equals).trim() === name) values.push(pair.slice(equals + 1).trim());
  }
  return values;
}
