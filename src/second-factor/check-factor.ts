import { Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller, KeyTrace } from '../audit/event.ts';
import type { AuthenticationMethod } from '../sessions/store.ts';
import type { Limits, Throttle } from '../throttle/throttle.ts';
import type { Account } from '../users/account.ts';
import type { events } from './events.ts';
import type { Factors } from './factors.ts';
import type { Passkeys } from './passkeys.ts';
import type { RecoveryCodes } from './recovery-codes.ts';
import { tooManyCodes } from './refusals.ts';
import type { Totp } from './totp.ts';

/** A factor as a client sends it. */
export interface SentFactor {
  readonly method: string;
  readonly code?: string | undefined;
  /** JSON of a passkey's answer. */
  readonly credential?: unknown;
  /** The cookie that the passkey's challenge is bound to. */
  readonly ceremony?: string | undefined;
}

export type CheckedFactor =
  | { readonly succeeded: true; readonly methods: readonly AuthenticationMethod[] }
  | { readonly succeeded: false; readonly reason: 'wrong-code' | 'wrong-passkey' };

/**
 * Checks a second factor, unless too many were wrong.
 * @param binding what a passkey's challenge was made for
 * @throws {Refusal} `too-many-codes`
 */
export type CheckFactor = (
  account: Account,
  sent: SentFactor,
  binding: string,
  caller: Caller,
) => Promise<CheckedFactor>;

export interface CheckFactorOptions {
  readonly factors: Factors;
  /** Undefined where the host cannot have passkeys. */
  readonly passkeys: Passkeys | undefined;
  readonly totp: Totp;
  readonly recoveryCodes: RecoveryCodes;
  readonly throttle: Throttle;
  /** What wrong factors of a user and from an address are counted by. */
  readonly limitsOf: (userId: string, address: string | undefined) => Limits<KeyTrace['kind']>;
  readonly audit: Audit<keyof typeof events>;
}

export function createCheckFactor(options: CheckFactorOptions): CheckFactor {
  const { factors, passkeys, totp, recoveryCodes, throttle, limitsOf, audit } = options;

  async function check(account: Account, sent: SentFactor, binding: string): Promise<CheckedFactor> {
    const owner = factors.ownerOf(account);
    const { method, code = '', credential, ceremony } = sent;
    if (method === 'passkey') {
      const proven = await passkeys?.prove(credential, { purpose: binding, cookie: ceremony }, owner);
      if (proven === undefined || typeof proven === 'string') return { succeeded: false, reason: 'wrong-passkey' };
      return { succeeded: true, methods: [proven.syncable ? 'swk' : 'hwk', 'user'] };
    }
    const isRight = await (method === 'recovery_code' ? recoveryCodes.use(owner, code) : totp.check(owner, code));
    return isRight ? { succeeded: true, methods: ['otp'] } : { succeeded: false, reason: 'wrong-code' };
  }

  return async (account, sent, binding, caller) => {
    const userId = account.user.id;
    const attempted = await throttle.attempt(limitsOf(userId, caller.address), () => check(account, sent, binding));
    if (attempted.passed) return attempted.result;
    await audit.recordIfPossible({ kind: 'second-factor-throttled', caller, userId, throttle: attempted.trace });
    throw new Refusal(tooManyCodes, attempted.retryAfterSeconds);
  };
}
