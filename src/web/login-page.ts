import type { LoginMessage } from '../access/refusal.ts';
import { safeNext } from './next.ts';

/** The fixed messages of the login page, by `state`. Nothing else that a visitor sends is ever shown there. */
const messages: Readonly<Record<LoginMessage, string>> = {
  1: 'This session has not been logged in before',
  2: 'Please log in to continue',
  3: 'Incorrect username or password',
  4: 'Too many attempts. Please wait before trying again.',
};

export interface ShownMessage {
  readonly text: string;
  /** Whether something went wrong, or the visitor is only told what to do. */
  readonly alarming: boolean;
}

/** The message for a state from the address, if it is one. */
export function shownMessage(state: unknown): ShownMessage | undefined {
  const number = Number(state) as LoginMessage;
  const text = state === String(number) || state === number ? messages[number] : undefined;
  return text === undefined ? undefined : { text, alarming: number >= 3 };
}

/** Address of the login page with a message (0 for none), and where to go afterwards when that is safe. */
export function loginPath(state: LoginMessage | 0, next?: unknown): string {
  const safe = safeNext(next);
  return `/auth/login?state=${state}${safe === undefined ? '' : `&next=${encodeURIComponent(safe)}`}`;
}
