import { randomInt } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Proof } from '../access/admit.ts';
import { type Answer, Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import type { Log } from '../faults/log.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { Throttle } from '../throttle/throttle.ts';
import { type Account, passwordFingerprint } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { events } from './events.ts';
import { attemptOf, limitsOf } from './login-limits.ts';
import { createProvePassword } from './password-proof.ts';

export interface SentPassword {
  readonly name: string;
  readonly account: Account | undefined;
  readonly password: string;
  /** The identifier of the browser, if the account of that fingerprint has signed in with it before. */
  findKnownBrowser(fingerprint: string): string | undefined;
  /** When the server began to look for the account, by `performance.now()`. */
  readonly start: number;
}

export interface AttemptRefusals {
  readonly failed: { readonly kind: 'login-failed' | 'confirm-failed'; readonly error: Error };
  readonly throttled: { readonly kind: 'login-throttled' | 'confirm-throttled'; readonly answer: Answer };
}

export interface ProvenPassword {
  readonly proof: Proof;
  readonly seen: Pick<AuditEvent, 'throttle'> & { readonly knownBrowser: boolean };
  /** Refuses all the same, because the proof no longer holds. */
  refuse(): Promise<never>;
}

/**
 * Checks a password, unless too many attempts have failed. Login and fresh proof share it, so that both count as one.
 * @throws the error of `failed`; {Refusal} with the answer of `throttled`
 * @throws {Unavailable} when too many passwords are waiting, or a store cannot be reached
 */
export type AttemptPassword = (
  sent: SentPassword,
  caller: Caller,
  refusals: AttemptRefusals,
) => Promise<ProvenPassword>;

export interface AttemptOptions {
  readonly users: UserDirectory;
  readonly passwords: Passwords;
  readonly throttle: Throttle;
  readonly audit: Audit<keyof typeof events>;
  readonly log: Pick<Log, 'warn'>;
  readonly needsSecondFactor: (account: Account) => Promise<boolean>;
  /** No failed attempt is answered before this many milliseconds. The response time must not reveal the kind of failure (ASVS 6.3.8). */
  readonly failureFloor?: number | undefined;
}

/** The longest random delay, as a share of the failure floor. By default it is 10 ms: ten times the step of a timer, and no user notices it. */
const randomDelayShare = 1 / 25;

/** Steps in which the random delay varies. Each is shorter than a microsecond, so the steps themselves reveal nothing. */
const randomDelaySteps = 2 ** 20;

/** The floor of a throttled attempt, as a share of the failure floor: by default 25 ms. It hides that an existing account takes longer to check. */
const throttledShare = 1 / 10;

export function createAttemptPassword(options: AttemptOptions): AttemptPassword {
  const { users, passwords, throttle, audit, log, needsSecondFactor, failureFloor = 250 } = options;
  const provePassword = createProvePassword(users, passwords, log, needsSecondFactor);

  /** Refuses no earlier than `floor` milliseconds after `start`, plus a small random delay. */
  async function refuse(error: Error, start: number, floor: number): Promise<never> {
    // A timer waits whole milliseconds from when it is set. Without the random delay, its end would reveal how long the work before it took
    // (ASVS 6.3.8).
    const randomDelay = failureFloor * randomDelayShare * (randomInt(randomDelaySteps) / randomDelaySteps);
    const earliest = start + floor + randomDelay;
    // A timer may also fire early: it counts from when the event loop last read the clock.
    for (let rest = earliest - performance.now(); rest > 0; rest = earliest - performance.now())
      await setTimeout(Math.ceil(rest));
    throw error;
  }

  return async ({ name, account, password, findKnownBrowser, start }, caller, { failed, throttled: waiting }) => {
    const knownBrowser = account && findKnownBrowser(passwordFingerprint(account));
    const attempt = attemptOf(name, account, knownBrowser, caller, audit);
    const throttled = await throttle.attempt(limitsOf(attempt), () => provePassword(account, password));
    const seen = { throttle: throttled.trace, knownBrowser: attempt.knownBrowser !== undefined };
    const event = {
      caller,
      ...(account === undefined ? { nameDigest: attempt.nameDigest } : { userId: account.user.id }),
      ...seen,
    };
    if (!throttled.passed) {
      await audit.recordIfPossible({ kind: waiting.kind, ...event });
      const refusal = new Refusal(waiting.answer, throttled.retryAfterSeconds);
      return refuse(refusal, start, failureFloor * throttledShare);
    }

    async function fail(reason: string): Promise<never> {
      await audit.recordIfPossible({ kind: failed.kind, reason, ...event });
      if (throttled.passed && throttled.stops) await audit.recordIfPossible({ kind: 'account-stopped', ...event });
      return refuse(failed.error, start, Math.max(failureFloor, passwords.failureFloor()));
    }

    const { result } = throttled;
    return result.succeeded
      ? { proof: result.proof, seen, refuse: () => fail('changed-meanwhile') }
      : fail(result.reason);
  };
}
