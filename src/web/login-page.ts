import type { LoginMessage } from '../access/refusal.ts';
import type { FailedLogin } from './failed-login.ts';
import { safeNext } from './next.ts';

/** The fixed messages of the login page, by `state`. */
const messages: Readonly<Record<LoginMessage | 0, string>> = {
  0: 'You are logged out.',
  1: 'This session has not been logged in before',
  2: 'Please log in to continue',
  3: 'Incorrect username or password',
  4: 'Too many attempts. Please wait before trying again.',
  5: 'This session is over already',
};

/** The message about a failed login. */
export const failedMessage = 3;

export interface ShownMessage {
  readonly text: string;
  /** Whether something went wrong. Otherwise the message only tells the user what to do. */
  readonly alarming: boolean;
  /** Whether it is about the typed username and password. */
  readonly failed: boolean;
}

/** The message for a `state` of the address; undefined if there is none. @param waitSeconds how long to wait, if known */
export function shownMessage(state: unknown, waitSeconds?: number): ShownMessage | undefined {
  const number = Number(state) as LoginMessage | 0;
  const text = state === String(number) || state === number ? messages[number] : undefined;
  if (text === undefined) return undefined;
  const wait = waitSeconds === undefined ? 'wait' : `wait ${describeWait(waitSeconds)}`;
  return { text: text.replace('wait', wait), alarming: number === 3 || number === 4, failed: number === failedMessage };
}

function describeWait(seconds: number): string {
  const [count, unit] = seconds < 120 ? [seconds, 'second'] : [Math.ceil(seconds / 60), 'minute'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** What `sign-in/log-in.eta` shows. */
export interface ShownLogin {
  readonly message: ShownMessage | undefined;
  readonly next: string | undefined;
  /** The host of the application that the login leads to; undefined if it leads to this site. */
  readonly application: string | undefined;
  /** The name in the form. */
  readonly username: string;
  /** The user can quote it when asking for help. `janua explain` shows the rest. */
  readonly request_id: string | undefined;
}

/** @param failed the login that the message is about, if any */
export type ShowLogin = (message: ShownMessage | undefined, next: unknown, failed?: FailedLogin) => ShownLogin;

/** @param nameApplication the host of the application that a path leads to, unless it is Janua itself */
export function createShowLogin(nameApplication: (path: string) => string | undefined): ShowLogin {
  return (message, sentNext, failed) => {
    const next = safeNext(sentNext);
    const application = next === undefined ? undefined : nameApplication(next);
    return { message, next, application, username: failed?.username ?? '', request_id: failed?.requestId };
  };
}

/** Address of the login page with a message (0 after logging out), and with `next` if that is safe. */
export function loginPath(state: LoginMessage | 0, next?: unknown): string {
  const safe = safeNext(next);
  return `/auth/login?state=${state}${safe === undefined ? '' : `&next=${encodeURIComponent(safe)}`}`;
}
