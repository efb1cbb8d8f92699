import { randomInt } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Presented } from '../access/access.ts';
import type { Admit, Admitted } from '../access/admit.ts';
import { Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Log } from '../faults/log.ts';
import { maxPasswordBytes, type Passwords } from '../passwords/passwords.ts';
import { networkOf } from '../text/networks.ts';
import type { Throttle } from '../throttle/throttle.ts';
import { passwordFingerprint } from '../users/account.ts';
import { canonicalUsername, maxUsernameLength } from '../users/user.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { events } from './events.ts';
import { limitsOf, type PasswordAttempt } from './login-limits.ts';
import { createProvePassword } from './password-proof.ts';
import { incompleteLogin, invalidCredentials, tooManyAttempts } from './refusals.ts';

export interface LoginAttempt {
  readonly username: string;
  readonly password: string;
  /** A login ends every session that was presented with it. */
  readonly presented: Presented;
  /** The identifier of the browser, if the account of that fingerprint has signed in with it before. */
  findKnownBrowser(fingerprint: string): string | undefined;
}

export interface LogInOptions {
  readonly users: UserDirectory;
  readonly passwords: Passwords;
  readonly throttle: Throttle;
  readonly admit: Admit;
  readonly audit: Audit<keyof typeof events>;
  readonly log: Pick<Log, 'warn'>;
  /** No failed login is answered before this many milliseconds. The response time must not reveal the kind of failure (ASVS 6.3.8). */
  readonly failureFloor?: number | undefined;
}

/** The longest random delay, as a share of the failure floor. By default it is 10 ms: ten times the step of a timer, and no user notices it. */
const randomDelayShare = 1 / 25;

/** Steps in which the random delay varies. Each is shorter than a microsecond, so the steps themselves reveal nothing. */
const randomDelaySteps = 2 ** 20;

/** The floor of a throttled login, as a share of the failure floor: by default 25 ms. It hides that an existing account takes longer to check. */
const throttledShare = 1 / 10;

/**
 * Logs in by password: proves the user, then admits them.
 * @throws {Refusal} `incomplete-login`, `invalid-credentials`, `too-many-attempts`
 * @throws {Unavailable} when too many logins are waiting, or a store cannot be reached
 */
export type LogIn = (login: LoginAttempt, caller: Caller) => Promise<Admitted>;

export function createLogIn(options: LogInOptions): LogIn {
  const { users, passwords, throttle, admit, audit, log, failureFloor = 250 } = options;
  const provePassword = createProvePassword(users, passwords, log);

  /** Refuses no earlier than `floor` milliseconds after `start`, plus a small random delay. */
  async function refuse(refusal: Refusal, start: number, floor: number): Promise<never> {
    // A timer waits whole milliseconds from when it is set. Without the random delay, its end would reveal how long the work before it took
    // (ASVS 6.3.8).
    const randomDelay = failureFloor * randomDelayShare * (randomInt(randomDelaySteps) / randomDelaySteps);
    const earliest = start + floor + randomDelay;
    // A timer may also fire early: it counts from when the event loop last read the clock.
    for (let rest = earliest - performance.now(); rest > 0; rest = earliest - performance.now())
      await setTimeout(Math.ceil(rest));
    throw refusal;
  }

  const refuseCredentials = (start: number): Promise<never> =>
    refuse(new Refusal(invalidCredentials), start, Math.max(failureFloor, passwords.failureFloor()));

  return async (login, caller) => {
    const { username, password, presented, findKnownBrowser } = login;
    requireComplete(username, password);
    const start = performance.now();
    const name = canonicalUsername(username);
    const account = await users.findByUsername(name);
    const owner = account && { id: account.user.id, fingerprint: passwordFingerprint(account) };
    const attempt: PasswordAttempt = {
      address: networkOf(caller.address, 64),
      endSite: networkOf(caller.address, 48),
      nameDigest: audit.digestName(name),
      account: owner,
      knownBrowser: owner && findKnownBrowser(owner.fingerprint),
    };
    const throttled = await throttle.attempt(limitsOf(attempt), () => provePassword(account, password));
    const seen = { throttle: throttled.trace, knownBrowser: attempt.knownBrowser !== undefined };
    const event = {
      caller,
      ...(account === undefined ? { nameDigest: attempt.nameDigest } : { userId: account.user.id }),
      ...seen,
    };
    if (!throttled.passed) {
      await audit.recordIfPossible({ kind: 'login-throttled', ...event });
      return refuse(new Refusal(tooManyAttempts, throttled.retryAfterSeconds), start, failureFloor * throttledShare);
    }
    const { result } = throttled;
    if (!result.succeeded) {
      await audit.recordIfPossible({ kind: 'login-failed', reason: result.reason, ...event });
      if (throttled.stops) await audit.recordIfPossible({ kind: 'account-stopped', ...event });
      return refuseCredentials(start);
    }
    const admitted = await admit(result.proof, { presented, caller, event: seen });
    if (admitted !== undefined) return admitted;
    await audit.recordIfPossible({ kind: 'login-failed', reason: 'changed-meanwhile', ...event });
    return refuseCredentials(start);
  };
}

/** Checks characters and bytes before any look-up or hashing. Long input costs time, and lone surrogates have no bytes. */
function requireComplete(username: string, password: string): void {
  const usernameFits = username.trim() !== '' && username.length <= maxUsernameLength && username.isWellFormed();
  const passwordFits = password !== '' && Buffer.byteLength(password) <= maxPasswordBytes && password.isWellFormed();
  if (!usernameFits || !passwordFits) throw new Refusal(incompleteLogin);
}
