import type { Admission, LoginRequest, Proof } from '../../core/access/admit.ts';
import type { ProvedBy } from '../../core/access/events.ts';
import { challengePurposes, includesSecondFactor, mfaRequired, type SentFactor } from '../../core/access/factor.ts';
import { attemptOf, limitsOf } from '../../core/access/login-limits.ts';
import { Refusal, RefusedField } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import { passwordFingerprint, stampOf } from '../../core/users/account.ts';
import { inTransactionOn } from '../../ground/database/transaction.ts';
import { trustedCookie } from '../../web/cookies.ts';
import type { Enrolment } from './enrolment.ts';
import type { FactorCore } from './events.ts';
import type { Factors } from './factors.ts';
import { invalidFactor, loginOver } from './refusals.ts';

export interface SentStep extends SentFactor, LoginRequest {
  readonly headers: LoginRequest['headers'];
  readonly language: LoginRequest['language'];
  readonly trustsBrowser: boolean;
}

export function createSecondStep(
  { users, admit, throttle, knownBrowsers, https, audit, database }: FactorCore,
  { pendingLogins, trustedBrowsers, methodsOf, isDemanded, checkFactor }: Factors,
  enrolment: Pick<Enrolment, 'requireEnrolment'>,
) {
  const trusted = trustedCookie(https);

  async function refuse(caller: Caller, userId?: string): Promise<never> {
    await audit.recordIfPossible({ kind: 'second-factor-failed', reason: 'login-over', caller, userId });
    throw new Refusal(loginOver);
  }

  /** Finds a pending login, its account, and the kinds of factors that can finish it. @throws {Refusal} `login-over` */
  async function open(secret: string, caller: Caller) {
    const pending = await pendingLogins.find(secret);
    const account = pending && (await users.findById(pending.userId));
    const isWaiting = account !== undefined && !account.disabled && stampOf(account) === pending?.stamp;
    if (pending === undefined || !isWaiting) return refuse(caller, pending?.userId);
    return { pending, account, methods: await methodsOf(account) };
  }

  return {
    /**
     * Demands a second factor, for `admit`. After a password alone, an account with a second factor gets a pending login in place of a
     * session. A trusted browser replaces the second factor.
     */
    async requireSecondFactor({ account, methods: proved }: Proof, admission: Admission) {
      if (includesSecondFactor(proved)) return undefined;
      const { remembered = false, headers, caller, scope } = admission;
      const methods = await methodsOf(account);
      if (methods.length === 0) {
        if (await isDemanded(account)) await enrolment.requireEnrolment(account, admission);
        return undefined;
      }
      const [userId, stamp] = [account.user.id, stampOf(account)];
      if (await trustedBrowsers.isTrusted(trusted.read(headers.cookie), account.user, stamp)) return 'trusted-browser';
      const token = await pendingLogins.start({ userId, stamp, methods: proved, remembered, scope });
      await audit.recordIfPossible({ kind: 'second-factor-asked', caller, userId });
      throw new Refusal(mfaRequired, undefined, { token, methods });
    },

    open,

    async abandon(secret: string): Promise<void> {
      const pending = await pendingLogins.find(secret);
      if (pending !== undefined) await pendingLogins.end(pending.id);
    },

    /**
     * Finishes a login. `trustedBrowser` of the result is the secret for the cookie of a browser that the user has chosen to trust.
     * @throws {Refusal} `login-over`, `too-many-codes`; {RefusedField} `invalid-factor`
     */
    async finish(secret: string, step: SentStep, caller: Caller) {
      const { pending, account } = await open(secret, caller);
      const { id, methods: proved, stamp, remembered, userId, scope } = pending;
      if (!(await pendingLogins.takeTry(id))) return refuse(caller, userId);
      const checked = await checkFactor(account, step, challengePurposes.secondStep(id), caller).catch(
        async (error: unknown) => {
          // The factor was not checked, so the try does not count.
          await pendingLogins.giveBackTry(id);
          throw error;
        },
      );
      if (!checked.succeeded) {
        const { reason, throttle } = checked;
        await audit.recordIfPossible({ kind: 'second-factor-failed', reason, caller, userId, throttle });
        throw new RefusedField(invalidFactor, { field: 'code', code: checked.code });
      }
      // Of several right answers at the same time, one finishes the login.
      if (!(await pendingLogins.end(id))) return refuse(caller, userId);
      const methods = [...new Set([...proved, ...checked.methods, 'mfa' as const])];
      const proof = { account, methods, stillHolds: async () => false };
      const { presented, language, headers } = step;
      const knownBrowser = knownBrowsers.find(passwordFingerprint(account), headers.cookie);
      const event = {
        // An unknown method was refused as a wrong code, so the text is a `ProvedBy`.
        reason: `${proved.includes('fed') ? 'upstream' : 'password'}+${step.method.replace('_', '-')}` as ProvedBy,
        throttle: checked.throttle,
        knownBrowser: knownBrowser !== undefined,
      };
      const admitted = await admit(proof, { presented, language, headers, caller, remembered, scope, event });
      if (admitted === undefined) return refuse(caller, userId);
      if (proved.includes('pwd')) {
        const attempt = attemptOf(account.user.username, account, knownBrowser, caller, audit);
        await throttle.forgive(limitsOf(attempt)).catch(() => {});
      }
      if (!step.trustsBrowser) return { ...admitted, trustedBrowser: undefined };
      const trustedBrowser = await inTransactionOn(database, { rows: [userId] }, async (db) => {
        await audit.recordIn(db, { kind: 'browser-trusted', caller, userId, sessionId: admitted.session.id });
        return trustedBrowsers.trust(account.user, stamp, caller.userAgent, db);
      });
      await inTransactionOn(database, { rows: [userId] }, async (db) => {
        if ((await trustedBrowsers.makeRoom(account.user, db)) > 0)
          await audit.recordIn(db, { kind: 'trust-ended', reason: 'too-many', caller, userId });
      });
      return { ...admitted, trustedBrowser };
    },
  };
}
