import type { CheckFactor, SentFactor } from '../access/factor.ts';
import { Refusal } from '../access/refusal.ts';
import type { Account } from '../users/account.ts';
import type { Factors } from './factors.ts';
import type { FactorOptions } from './options.ts';
import { passkeyMethods } from './passkeys.ts';
import { tooManyCodes } from './refusals.ts';

export function createCheckFactor({ throttle, limitsOfFactor, audit }: FactorOptions, factors: Factors): CheckFactor {
  const { passkeys, totp, recoveryCodes, ownerOf } = factors;

  async function check(account: Account, sent: SentFactor, binding: string): ReturnType<CheckFactor> {
    const owner = ownerOf(account);
    const { method, code = '', credential, ceremony } = sent;
    if (method === 'passkey') {
      const proven = await passkeys?.prove(credential, { purpose: binding, cookie: ceremony }, owner);
      if (proven === undefined || typeof proven === 'string') return { succeeded: false, reason: 'wrong-passkey' };
      return { succeeded: true, methods: passkeyMethods(proven) };
    }
    const isRight = await (method === 'recovery_code' ? recoveryCodes.use(owner, code) : totp.check(owner, code));
    return isRight ? { succeeded: true, methods: ['otp'] } : { succeeded: false, reason: 'wrong-code' };
  }

  return async (account, sent, binding, caller) => {
    const { id: userId } = account.user;
    const attempted = await throttle.attempt(limitsOfFactor(userId, caller.address), () =>
      check(account, sent, binding),
    );
    if (attempted.passed) return attempted.result;
    await audit.recordIfPossible({ kind: 'second-factor-throttled', caller, userId, throttle: attempted.trace });
    throw new Refusal(tooManyCodes, attempted.retryAfterSeconds);
  };
}
