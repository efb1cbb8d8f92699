import type { Admission, Demand, Proof } from '../access/admit.ts';
import { Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import { stampOf } from '../users/account.ts';
import type { Enrolment } from './enrolment.ts';
import type { events } from './events.ts';
import type { Factors } from './factors.ts';
import type { PendingLogins } from './pending-logins.ts';
import { mfaRequired } from './refusals.ts';
import type { TrustedBrowsers } from './trusted-browsers.ts';

export interface DemandOptions {
  readonly factors: Factors;
  readonly pendingLogins: PendingLogins;
  readonly trustedBrowsers: TrustedBrowsers;
  /** Refuses a password without a factor where every account must have one. */
  readonly demandEnrolment: Enrolment['demand'] | undefined;
  readonly audit: Audit<keyof typeof events>;
}

/** A password alone; a proof with anything else is enough. */
const isPasswordAlone = ({ methods }: Proof) => methods.every((method) => method === 'pwd');

/**
 * What `admit` asks of every proof: an account with a second factor gets no session from its password alone, but a pending login.
 * A browser that the user trusts stands for the second factor.
 */
export function createDemand({
  factors,
  pendingLogins,
  trustedBrowsers,
  demandEnrolment,
  audit,
}: DemandOptions): Demand {
  return async (proof, { remembered = false, trustedBrowser, notice, caller }: Admission) => {
    if (!isPasswordAlone(proof)) return;
    const { account } = proof;
    const methods = await factors.methodsOf(account);
    if (methods.length === 0) return demandEnrolment?.(account, notice?.language ?? 'en', caller);
    const stamp = stampOf(account);
    if (await trustedBrowsers.isTrusted(trustedBrowser, factors.ownerOf(account), stamp)) return;
    const userId = account.user.id;
    const token = await pendingLogins.start({ userId, stamp, methods: proof.methods, remembered });
    await audit.recordIfPossible({ kind: 'second-factor-asked', caller, userId });
    throw new Refusal(mfaRequired, undefined, { token, methods });
  };
}
