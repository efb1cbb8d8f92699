import { randomInt } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Proof } from '../../core/access/admit.ts';
import type { KnownBrowsers } from '../../core/access/known-browsers.ts';
import { attemptOf, limitsOf } from '../../core/access/login-limits.ts';
import { type Answer, Refusal } from '../../core/access/refusal.ts';
import type { AuditOf } from '../../core/audit/audit.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { Passwords } from '../../core/passwords/passwords.ts';
import type { Throttle } from '../../core/throttle/throttle.ts';
import { type Account, type Candidate, passwordFingerprint } from '../../core/users/account.ts';
import type { UserDirectory } from '../../core/users/user-directory.ts';
import type { Log } from '../../ground/faults/log.ts';
import type { Turn, Work } from '../../ground/faults/turns.ts';
import type { events } from './events.ts';

export interface AttemptOptions {
  readonly users: UserDirectory;
  readonly passwords: Passwords;
  readonly throttle: Throttle;
  readonly knownBrowsers: Pick<KnownBrowsers, 'find'>;
  readonly audit: AuditOf<typeof events>;
  readonly log: Pick<Log, 'warn'>;
  readonly needsSecondFactor: (account: Account) => Promise<boolean>;
  /** No failed attempt is answered before this many milliseconds. The response time must not reveal the kind of failure (ASVS 6.3.8). */
  readonly failureFloor?: number | undefined;
}

interface SentPassword {
  readonly name: string;
  readonly candidate: Candidate | undefined;
  readonly password: string;
  readonly headers: { readonly cookie?: string | undefined };
  /** When the server began to look for the account, by `performance.now()`. */
  readonly start: number;
}

interface AttemptRefusals {
  readonly failed: { readonly kind: 'login-failed' | 'confirm-failed'; readonly error: Error };
  readonly throttled: { readonly kind: 'login-throttled' | 'confirm-throttled'; readonly answer: Answer };
}

export type AttemptPassword = ReturnType<typeof createAttemptPassword>;

/**
 * The longest random delay, as a share of the failure floor. By default it is 10 ms: ten times the step of a timer, and no user notices it.
 * A timer waits whole milliseconds, so its end reveals the fraction of a millisecond at which it was set. Without the delay, 0.5 ms of work
 * before the timer told two users apart.
 */
const randomDelayShare = 1 / 25;

/** Steps in which the random delay varies. Each is shorter than a microsecond, so the steps themselves reveal nothing. */
const randomDelaySteps = 2 ** 20;

/**
 * The floor of a throttled attempt, as a share of the failure floor: by default 25 ms. It hides that checking an existing account takes
 * longer.
 */
const throttledShare = 1 / 10;

export function createAttemptPassword(options: AttemptOptions) {
  const { passwords, throttle, knownBrowsers, audit, failureFloor = 250 } = options;
  const provePassword = createProvePassword(options);

  /** Refuses no earlier than `floor` milliseconds after `start`, plus a small random delay. */
  async function refuse(error: Error, start: number, floor: number): Promise<never> {
    // A timer waits whole milliseconds from when it is set. Without the random delay, its end would reveal the duration of the work before
    // it (ASVS 6.3.8).
    const randomDelay = failureFloor * randomDelayShare * (randomInt(randomDelaySteps) / randomDelaySteps);
    const earliest = start + floor + randomDelay;
    // A timer may also fire early: it counts from when the event loop last read the clock.
    for (let rest = earliest - performance.now(); rest > 0; rest = earliest - performance.now())
      await setTimeout(Math.ceil(rest));
    throw error;
  }

  /**
   * Checks a password, unless too many attempts have failed. Login and fresh proof share the limits. `refuse` of the result refuses the
   * attempt after all, for a proof that no longer holds.
   * @throws the error of `failed`; {Refusal} with the answer of `throttled`
   * @throws {Unavailable} when too many passwords are waiting, or a store cannot be reached
   */
  return async (sent: SentPassword, caller: Caller, { failed, throttled: waiting }: AttemptRefusals) => {
    const { name, candidate, password, headers, start } = sent;
    // Until the password is proved, a user of a team's own table without an account counts as an unknown name.
    const account = candidate?.account;
    const knownBrowser = account && knownBrowsers.find(passwordFingerprint(account), headers.cookie);
    const attempt = attemptOf(name, account, knownBrowser, caller, audit);
    const limits = limitsOf(attempt);
    const throttled = await throttle.attempt(limits, (turn) => provePassword(candidate, password, turn, limits));
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

type ProofOptions = Pick<AttemptOptions, 'users' | 'log' | 'needsSecondFactor'> & {
  readonly passwords: Pick<Passwords, 'check' | 'takeTurn'>;
};

export function createProvePassword({ users, passwords, log, needsSecondFactor }: ProofOptions) {
  const matches = async ({ passwordHash }: Account, password: string, turn: Turn) =>
    (await passwords.check(turn, passwordHash, password)).matches;

  /** Stores a stronger hash of the same password. @returns the account. Undefined if it is gone, or its password has changed */
  async function storeAnew(
    account: Account,
    password: string,
    replacement: string,
    turn: Turn,
  ): Promise<Account | undefined> {
    await users
      .replacePasswordHash(account, replacement)
      // If storing fails, the login goes on with the old hash.
      .catch((err: unknown) =>
        log.warn({ event: 'password_not_stored_anew', err }, 'the server could not replace a weak password hash'),
      );
    const current = await users.findById(account.user.id);
    if (current === undefined || [replacement, account.passwordHash].includes(current.passwordHash)) return current;
    // A parallel login may have stored another hash of the same password, or the password has been changed.
    return (await matches(current, password, turn)) ? current : undefined;
  }

  /** Gives an account to a user of a team's own table. Undefined if the password has changed meanwhile, or the user is gone or disabled. */
  async function adoptProved(candidate: Candidate, password: string, turn: Turn): Promise<Account | undefined> {
    const account = await candidate.adopt();
    if (account === undefined || account.disabled) return undefined;
    const isSame = account.passwordHash === candidate.passwordHash || (await matches(account, password, turn));
    return isSame ? account : undefined;
  }

  /** The true reason, for the audit. The client never gets it. */
  const failed = (reason: keyof (typeof events)['login-failed']['reasons']) => ({ succeeded: false, reason }) as const;

  /**
   * Compares a password with that of an account, and replaces a weak hash. `clears` of the result tells whether the password alone is
   * enough to clear earlier failures.
   * @param candidate the user of the name. Without one, the check takes the same time
   * @param work waits for another turn if the proof is checked again
   * @throws {Unavailable} when too many passwords are waiting, or the users cannot be read
   */
  return async (candidate: Candidate | undefined, password: string, turn: Turn, work: Work) => {
    const check = await passwords.check(turn, candidate?.passwordHash, password);
    if (candidate === undefined) return failed('unknown-user');
    if (!check.matches) return failed('wrong-password');
    if (candidate.disabled) return failed('disabled-user');
    const account = candidate.account ?? (await adoptProved(candidate, password, turn));
    if (account === undefined) return failed('changed-meanwhile');
    // A parallel login may have replaced the hash while this one adopted the user.
    const replacement = account.passwordHash === candidate.passwordHash ? check.replacement : undefined;
    const current = replacement === undefined ? account : await storeAnew(account, password, replacement, turn);
    if (current === undefined) return failed('changed-meanwhile');
    const stillHolds = (later: Account) => passwords.takeTurn(work, (another) => matches(later, password, another));
    const proof: Proof = { account: current, methods: ['pwd'], stillHolds };
    return { succeeded: true, clears: !(await needsSecondFactor(current)), proof } as const;
  };
}
