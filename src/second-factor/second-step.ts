import type { Presented } from '../access/access.ts';
import type { Admit, Admitted } from '../access/admit.ts';
import { Refusal, RefusedField } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Language } from '../languages/languages.ts';
import { type Account, passwordFingerprint, stampOf } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { CheckFactor, SentFactor } from './check-factor.ts';
import type { events } from './events.ts';
import type { FactorMethod, Factors } from './factors.ts';
import type { PendingLogin, PendingLogins } from './pending-logins.ts';
import { invalidFactor, loginOver } from './refusals.ts';
import type { TrustedBrowsers } from './trusted-browsers.ts';

export interface SecondStepOptions {
  readonly users: Pick<UserDirectory, 'findById'>;
  readonly factors: Factors;
  readonly pendingLogins: PendingLogins;
  readonly trustedBrowsers: TrustedBrowsers;
  readonly checkFactor: CheckFactor;
  readonly admit: Admit;
  /** Forgets the wrong passwords before this login, which a right password alone does not. */
  readonly clearPasswordFailures: (account: Account, knownBrowser: string | undefined, caller: Caller) => Promise<void>;
  readonly audit: Audit<keyof typeof events>;
}

/** A login that waits, its account, and the ways to finish it. */
export interface OpenedLogin {
  readonly pending: PendingLogin;
  readonly account: Account;
  readonly methods: readonly FactorMethod[];
}

/** What a client sends to finish a login. */
export interface SecondStep extends SentFactor {
  readonly presented: Presented;
  readonly language: Language;
  /** The identifier of the browser, if the account of that fingerprint has signed in with it before. */
  findKnownBrowser(fingerprint: string): string | undefined;
  readonly trustsBrowser: boolean;
}

export interface Finished extends Admitted {
  /** The text of the cookie by which the browser is trusted from now on. */
  readonly trustedBrowser: string | undefined;
}

export type SecondFactor = ReturnType<typeof createSecondFactor>;

/** The second step of a login. */
export function createSecondFactor(options: SecondStepOptions) {
  const { users, factors, pendingLogins, trustedBrowsers, checkFactor, admit, clearPasswordFailures, audit } = options;

  async function refuse(caller: Caller, userId?: string): Promise<never> {
    await audit.recordIfPossible({ kind: 'second-factor-failed', reason: 'login-over', caller, userId });
    throw new Refusal(loginOver);
  }

  /** @throws {Refusal} `invalid-factor` if no login waits */
  async function open(text: string, caller: Caller): Promise<OpenedLogin> {
    const pending = await pendingLogins.find(text);
    const account = pending && (await users.findById(pending.userId));
    const isWaiting = account !== undefined && !account.disabled && stampOf(account) === pending?.stamp;
    if (pending === undefined || !isWaiting) return refuse(caller, pending?.userId);
    return { pending, account, methods: await factors.methodsOf(account) };
  }

  return {
    open,

    /** Ends a login that waits, if the text is one. */
    async abandon(text: string): Promise<void> {
      const pending = await pendingLogins.find(text);
      if (pending !== undefined) await pendingLogins.end(pending.id);
    },

    /**
     * Finishes a login.
     * @throws {Refusal} `invalid-factor`, `too-many-codes`
     */
    async finish(text: string, step: SecondStep, caller: Caller): Promise<Finished> {
      const { pending, account } = await open(text, caller);
      const { id, methods: proved, stamp, remembered, userId } = pending;
      const checked = await checkFactor(account, step, `second-factor:${id}`, caller);
      if (!checked.succeeded) {
        await pendingLogins.countFailure(id);
        await audit.recordIfPossible({ kind: 'second-factor-failed', reason: checked.reason, caller, userId });
        throw new RefusedField(invalidFactor, { field: 'code', code: checked.reason });
      }
      // Of several right answers at the same time, one finishes the login.
      if (!(await pendingLogins.end(id))) return refuse(caller, userId);
      const methods = [...new Set([...proved, ...checked.methods, 'mfa' as const])];
      const proof = { account, methods, stillHolds: async () => false };
      const knownBrowser = step.findKnownBrowser(passwordFingerprint(account));
      const notice = { knownBrowser: knownBrowser !== undefined, language: step.language };
      const admitted = await admit(proof, { presented: step.presented, caller, remembered, notice, event: {} });
      if (admitted === undefined) return refuse(caller, userId);
      await clearPasswordFailures(account, knownBrowser, caller).catch(() => {});
      const owner = factors.ownerOf(account);
      const trust = step.trustsBrowser ? trustedBrowsers.trust(owner, stamp, caller.userAgent) : undefined;
      return { ...admitted, trustedBrowser: await trust };
    },
  };
}
