import { maxUsernameLength } from '../users/user.ts';
import { bodyField } from './body-field.ts';
import { failureCookieName, formatCookie, readCookie } from './cookies.ts';
import { isRequestId } from './request-id.ts';

/** What the login page shows of a failed login. */
export interface FailedLogin {
  /** As typed, whether or not the user exists. Empty if it was not a valid username. */
  readonly username: string;
  readonly requestId: string;
}

export interface FailedLogins {
  /** `Set-Cookie` for the redirect to the login page. */
  cookie(failed: FailedLogin): string;
  /** `Set-Cookie` that removes the cookie: the page shows the failure once. */
  readonly endedCookie: string;
  read(header: string | undefined): FailedLogin | undefined;
}

/** More than a redirect takes. */
const keptSeconds = 60;

/**
 * Carries a failed login over the redirect to the login page. A cookie holds it, because histories and logs keep addresses.
 * The cookie is not signed, because no decision depends on it. With `__Host-` no other host can set it, and the page shows it
 * as text.
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
  const username = bodyField(body, 'username');
  return { username: isUsername(username) ? username : '', requestId: id };
}

const isUsername = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= maxUsernameLength && value.isWellFormed();
