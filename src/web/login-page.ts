import { type LoginMessage, loginMessages } from '../core/access/refusal.ts';
import { maxUsernameLength } from '../core/users/user.ts';
import { hintOf } from '../ground/text/page-hints.ts';
import { bodyField } from './body-field.ts';
import { createCookie } from './cookies.ts';
import type { FlowOptions } from './flow-options.ts';
import { isRequestId } from './hooks/request-id.ts';
import { pathWithNext, safeNext } from './next.ts';
import type { Page } from './page.ts';
import { view } from './view.ts';

declare module './view.ts' {
  interface Pages {
    'web/login-page': ReturnType<typeof describe>;
  }
}

/** The model of the login page. */
type LoginModel = Awaited<ReturnType<LoginPage['show']>>;

function describe({ message, application, known, username, next, ...login }: LoginModel, page: Page) {
  const { words, site, plural, withNext } = page;
  const { mail, password, signUp, passkeyDomain } = site.features;
  const links = [
    ...(password ? [{ address: withNext('/auth/forgot-password', next), text: words.login.forgotPassword }] : []),
    ...(signUp ? [{ address: withNext('/auth/sign-up', next), text: words.login.signUp }] : []),
  ];
  return {
    ...login,
    username,
    next,
    message: message && {
      ...message,
      text: words.loginMessages[message.key],
      wait: message.wait && plural(words.login[message.wait.key], message.wait.count),
    },
    picture: known && page.pictureOf(known.name, known.picture),
    lead: page.interpolate(words.login.lead, { name: application ?? site.name }),
    hasPasskeys: passkeyDomain !== undefined,
    focusesPassword: username !== '',
    links: mail ? links : undefined,
  };
}

export const loginView = view('web/login-page', describe);

/** Seconds for which a browser stores a failed login. This is long enough for its user to go on and request a new password. */
const keptSeconds = 300;

type FailedLogin = ReturnType<typeof failedLoginOf>;

interface Shown {
  readonly message: LoginMessage | undefined;
  readonly next: unknown;
  readonly failed?: FailedLogin | undefined;
  readonly waitSeconds?: number | undefined;
  readonly credential?: unknown;
}

export type LoginPage = ReturnType<typeof createLoginPage>;

/**
 * Makes the model of the login page. A cookie carries a failed login over the redirect to the page, and its username to the page that
 * requests a new password. A query could carry the username too, but addresses stay in histories and logs. The cookie is not signed,
 * because no decision depends on it. With `__Host-` no other host can set it, and the page shows it as text.
 */
export function createLoginPage({ https, findApplication }: Pick<FlowOptions, 'https' | 'findApplication'>) {
  const cookie = createCookie('login-failure', https, keptSeconds);

  return {
    async show({ message, next: sentNext, failed, waitSeconds, credential }: Shown) {
      const next = safeNext(sentNext);
      const found = next === undefined ? undefined : await findApplication(next);
      const application = found?.name;
      // The line of the page with the name of the application already says this.
      const isSaid = application !== undefined && message === loginMessages.notSignedIn;
      return {
        message: message && !isSaid ? describeMessage(message, waitSeconds) : undefined,
        next,
        path: loginPath(message, next),
        /** The application that the login leads to; undefined if it leads to this site. */
        application,
        /** Undefined for a stranger, which has not even the letter that stands for a picture. */
        known: found?.isStranger ? undefined : found,
        username: failed?.username ?? hintOf(next ?? '', 'login_hint') ?? '',
        remember: failed?.remember ?? false,
        /** The user can quote this id when asking for help. `janua explain` shows the rest. */
        request_id: failed?.requestId,
        unknownPasskey:
          message === loginMessages.passkeyUnknown && typeof credential === 'string' ? credential : undefined,
      };
    },
    failureCookie({ username, remember, requestId }: FailedLogin): string {
      return cookie.header(Buffer.from(`${requestId} ${remember ? 'on' : 'off'} ${username}`).toString('base64url'));
    },
    failureRemoval: cookie.removal,
    readFailure(header: string | undefined): FailedLogin | undefined {
      const text = Buffer.from(cookie.read(header) ?? '', 'base64url').toString();
      // The request id contains no space. The username may, and comes last.
      const [, requestId, remember, username] = /^(\S+) (on|off) (.*)$/s.exec(text) ?? [];
      if (!isUsername(username) || !isRequestId(requestId)) return undefined;
      return { username, remember: remember === 'on', requestId };
    },
  };
}

/** Whether the message is about a failed login, so that the page fills in the form again. */
export const isAboutLogin = (message: LoginMessage | undefined): boolean =>
  message === loginMessages.failed || message === loginMessages.passkeyRefused;

export const findLoginMessage = (sent: unknown): LoginMessage | undefined =>
  Object.values(loginMessages).find(({ state }) => String(state) === sent);

const alarming: ReadonlySet<LoginMessage> = new Set([
  loginMessages.failed,
  loginMessages.throttled,
  loginMessages.passkeyRefused,
  loginMessages.passkeyUnknown,
]);

function describeMessage(message: LoginMessage, waitSeconds?: number) {
  return {
    key: message.key,
    wait: waitSeconds === undefined ? undefined : describeWait(waitSeconds),
    /** Whether something went wrong. Otherwise the message only tells the user what to do. */
    alarming: alarming.has(message),
    failed: message === loginMessages.failed,
  };
}

/** Returns the wait in seconds or minutes, and the key of the sentence that contains it. */
const describeWait = (seconds: number) =>
  seconds < 120
    ? ({ key: 'waitSeconds', count: seconds } as const)
    : ({ key: 'waitMinutes', count: Math.ceil(seconds / 60) } as const);

/** The address of the login page, even for a signed-in user. Their session ends when the other login succeeds. */
export const otherLoginPath = (next: unknown) => pathWithNext('/auth/login?account=other', next);

export function loginPath(message: LoginMessage | undefined, next?: unknown): string {
  const safe = safeNext(next);
  const query = [message && `state=${message.state}`, safe && `next=${encodeURIComponent(safe)}`].filter(Boolean);
  return ['/auth/login', query.join('&')].filter(Boolean).join('?');
}

/** The failed login of a request: the typed values without the password. The username is empty if it was not valid. */
export function failedLoginOf({ body, id }: { readonly body: unknown; readonly id: string }) {
  const username = bodyField(body, 'username');
  const remember = bodyField(body, 'remember') === 'on';
  return { username: isUsername(username) ? username : '', remember, requestId: id };
}

const isUsername = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= maxUsernameLength && value.isWellFormed();
