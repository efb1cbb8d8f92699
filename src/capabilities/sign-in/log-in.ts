import type { Admit, Admitted, LoginRequest } from '../../core/access/admit.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import { maxPasswordBytes } from '../../core/passwords/passwords.ts';
import { canonicalUsername, maxUsernameLength } from '../../core/users/user.ts';
import type { UserDirectory } from '../../core/users/user-directory.ts';
import type { AttemptPassword } from './password-attempt.ts';
import { incompleteLogin, invalidCredentials, tooManyAttempts } from './refusals.ts';

export interface LoginAttempt extends LoginRequest {
  readonly username: string;
  readonly password: string;
  readonly remembered?: boolean;
  /** The scopes that the client requests for the access token (RFC 6749 3.3). */
  readonly scope?: string | undefined;
}

interface LogInOptions {
  readonly users: UserDirectory;
  readonly attemptPassword: AttemptPassword;
  readonly admit: Admit;
}

export type LogIn = ReturnType<typeof createLogIn>;

export function createLogIn({ users, attemptPassword, admit }: LogInOptions) {
  /**
   * Logs in by password: checks the password, then starts a session (see `Admit`).
   * @throws {Refusal} `invalid-credentials`, `too-many-attempts`, `mfa-required`
   * @throws {Unavailable} when too many logins are waiting, or a store cannot be reached
   */
  return async ({ username, password, ...request }: LoginAttempt, caller: Caller): Promise<Admitted> => {
    const start = performance.now();
    const name = canonicalUsername(username);
    const candidate = await users.findCandidate(name);
    // Failures with the handle count as those with the address. Otherwise a guesser would have twice the tries.
    const { handle, username: address } = candidate?.account?.user ?? {};
    const counted = handle === name && address !== undefined ? canonicalUsername(address) : name;
    const sent = { name: counted, candidate, password, headers: request.headers, start };
    const { proof, seen, refuse } = await attemptPassword(sent, caller, {
      failed: { kind: 'login-failed', error: new Refusal(invalidCredentials) },
      throttled: { kind: 'login-throttled', answer: tooManyAttempts },
    });
    return (await admit(proof, { ...request, caller, event: { ...seen, reason: 'password' } })) ?? refuse();
  };
}

/** Checks characters and bytes before any look-up or hashing. Long input costs time, and lone surrogates have no bytes in UTF-8. */
export function requireComplete({ username, password }: Readonly<Record<'username' | 'password', unknown>>) {
  const isText = typeof username === 'string' && typeof password === 'string';
  if (!isText || username.trim() === '' || username.length > maxUsernameLength || !username.isWellFormed())
    throw new Refusal(incompleteLogin);
  if (password === '' || Buffer.byteLength(password) > maxPasswordBytes || !password.isWellFormed())
    throw new Refusal(incompleteLogin);
  return { username, password };
}
