import { maxUsernameLength } from '../users/user.ts';
import { failureCookieName, formatCookie, readCookie } from './cookies.ts';
import { isRequestId } from './request-id.ts';

/** What the login page shows of a login that failed. */
export interface FailedLogin {
  /** As it was typed, whether or not there is such a user; empty where it was no text. */
  readonly username: string;
  readonly requestId: string;
}

export interface FailedLogins {
  /** `Set-Cookie` for the way to the login page. */
  cookie(failed: FailedLogin): string;
  /** `Set-Cookie` that ends it: it is shown once. */
  readonly endedCookie: string;
  read(header: string | undefined): FailedLogin | undefined;
}

/** A redirect takes less. */
const keptSeconds = 60;

/**
 * Takes a failed login over the redirect to the login page, in a cookie: histories and logs keep addresses. The cookie is not signed,
 * because it decides nothing. With `__Host-` no other host can set it, and the page shows it as text.
 */
export function createFailedLogins({ https }: { https: boolean }): FailedLogins {
  const cookieName = failureCookieName(https);
  return {
    cookie({ username, requestId }) {
      const value = Buffer.from(JSON.stringify([username, requestId])).toString('base64url');
      return formatCookie(https, cookieName, value, `; Max-Age=${keptSeconds}`);
    },
    endedCookie: formatCookie(https, cookieName, '', '; Max-Age=0'),
    read(header) {
      const value = readCookie(header, cookieName);
      return value === undefined ? undefined : parse(Buffer.from(value, 'base64url').toString());
    },
  };
}

function parse(text: string): FailedLogin | undefined {
  try {
    const [username, requestId] = JSON.parse(text);
    return isUsername(username) && isRequestId(requestId) ? { username, requestId } : undefined;
  } catch {
    return undefined;
  }
}

/** The failed login of a request with this body. */
export function failedLoginOf({ body, id }: { readonly body: unknown; readonly id: string }): FailedLogin {
  const username = typeof body === 'object' && body !== null && 'username' in body ? body.username : undefined;
  return { username: isUsername(username) ? username : '', requestId: id };
}

const isUsername = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= maxUsernameLength && value.isWellFormed();
