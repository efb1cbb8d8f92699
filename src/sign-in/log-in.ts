import type { Presented } from '../access/access.ts';
import type { Admit, Admitted } from '../access/admit.ts';
import { Refusal } from '../access/refusal.ts';
import type { Caller } from '../audit/event.ts';
import type { Language } from '../languages/languages.ts';
import { maxPasswordBytes } from '../passwords/passwords.ts';
import { canonicalUsername, maxUsernameLength } from '../users/user.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { AttemptPassword, SentPassword } from './password-attempt.ts';
import { incompleteLogin, invalidCredentials, tooManyAttempts } from './refusals.ts';

export interface LoginAttempt extends Pick<SentPassword, 'password' | 'findKnownBrowser'> {
  readonly username: string;
  readonly presented: Presented;
  readonly remembered?: boolean;
  /** What the access token is asked to carry (RFC 6749 3.3). */
  readonly scope?: string | undefined;
  /** The cookie by which the user trusts the browser, verified or not. */
  readonly trustedBrowser?: string | undefined;
  readonly language: Language;
}

export interface LogInOptions {
  readonly users: UserDirectory;
  readonly attemptPassword: AttemptPassword;
  readonly admit: Admit;
}

/**
 * Logs in by password: proves the user, then admits them.
 * @throws {Refusal} `incomplete-login`, `invalid-credentials`, `too-many-attempts`, `mfa-required`
 * @throws {Unavailable} when too many logins are waiting, or a store cannot be reached
 */
export type LogIn = (login: LoginAttempt, caller: Caller) => Promise<Admitted>;

export function createLogIn({ users, attemptPassword, admit }: LogInOptions): LogIn {
  return async ({ username, presented, remembered = false, scope, trustedBrowser, language, ...sent }, caller) => {
    requireComplete(username, sent.password);
    const start = performance.now();
    const name = canonicalUsername(username);
    const account = await users.findByUsername(name);
    const { proof, seen, refuse } = await attemptPassword({ ...sent, name, account, start }, caller, {
      failed: { kind: 'login-failed', error: new Refusal(invalidCredentials) },
      throttled: { kind: 'login-throttled', answer: tooManyAttempts },
    });
    const event = { ...seen, reason: 'password' };
    const how = { remembered, scope, trustedBrowser, language, newBrowser: !seen.knownBrowser };
    return (await admit(proof, { presented, caller, ...how, event })) ?? refuse();
  };
}

/** Checks characters and bytes before any look-up or hashing. Long input costs time, and lone surrogates have no bytes. */
function requireComplete(username: string, password: string): void {
  const usernameFits = username.trim() !== '' && username.length <= maxUsernameLength && username.isWellFormed();
  const passwordFits = password !== '' && Buffer.byteLength(password) <= maxPasswordBytes && password.isWellFormed();
  if (!usernameFits || !passwordFits) throw new Refusal(incompleteLogin);
}
