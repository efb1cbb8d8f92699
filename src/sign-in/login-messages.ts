import { safeNext } from '../web/next.ts';

/** The fixed messages of the login page, by `state`. Nothing else that a visitor sends is ever shown there. */
const messages: ReadonlyMap<unknown, string> = new Map([
  ['1', 'This session has not been logged in before'],
  ['2', 'Please log in to continue'],
  ['3', 'Incorrect username or password'],
  ['4', 'Too many attempts. Please wait before trying again.'],
]);

export type LoginState = 0 | 1 | 2 | 3 | 4;

export interface LoginMessage {
  readonly text: string;
  /** Whether something went wrong, or the visitor is only told what to do. */
  readonly alarming: boolean;
}

/** The message for a state from the address, if it is one. */
export function loginMessage(state: unknown): LoginMessage | undefined {
  const text = messages.get(state);
  return text === undefined ? undefined : { text, alarming: state === '3' || state === '4' };
}

/** Address of the login page with a message, and where to go afterwards when that is safe. */
export function loginPath(state: LoginState, next?: unknown): string {
  const safe = safeNext(next);
  return `/auth/login?state=${state}${safe === undefined ? '' : `&next=${encodeURIComponent(safe)}`}`;
}
