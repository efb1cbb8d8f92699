import type { CheckFactor, SentFactor } from '../access/factor.ts';
import { Refusal } from '../access/refusal.ts';
import type { Database } from '../database/database.ts';
import type { Account } from '../users/account.ts';
import type { FactorOptions } from './options.ts';
import type { FactorOwner } from './owner.ts';
import { passkeyMethods } from './passkeys.ts';
import { createPendingLogins } from './pending-logins.ts';
import { createRecoveryCodes } from './recovery-codes.ts';
import { tooManyCodes } from './refusals.ts';
import { createTotp } from './totp.ts';
import { createTrustedBrowsers } from './trusted-browsers.ts';

/** What an account can prove besides its password. */
type FactorMethod = 'passkey' | 'totp' | 'recovery_code';

export type Factors = ReturnType<typeof createFactors>;

/** What is stored about second factors, which of them an account has, and whether one that was sent is right. */
export function createFactors(options: FactorOptions) {
  const { database, passkeys, registry, trustedBrowserDays, policy, throttle, limitsOfFactor, audit, now } = options;
  const totp = createTotp(options);
  const recoveryCodes = createRecoveryCodes(database);

  const ownerOf = ({ user }: Pick<Account, 'user'>): FactorOwner => ({
    userId: user.id,
    username: registry === undefined ? user.username : '',
  });

  /** What a user has, also where factors are ignored. Recovery codes alone are no factor. `db` may be a transaction. */
  async function list(owner: FactorOwner, db?: Database) {
    const [keys, app] = [(await passkeys?.list(owner, db)) ?? [], await totp.find(owner, db)];
    return { passkeys: keys, totp: app, hasAny: keys.length > 0 || app !== undefined };
  }

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

  const checkFactor: CheckFactor = async (account, sent, binding, caller) => {
    const { id: userId } = account.user;
    const limits = limitsOfFactor(userId, caller.address);
    const attempted = await throttle.attempt(limits, () => check(account, sent, binding));
    if (attempted.passed) return attempted.result;
    await audit.recordIfPossible({ kind: 'second-factor-throttled', caller, userId, throttle: attempted.trace });
    throw new Refusal(tooManyCodes, attempted.retryAfterSeconds);
  };

  return {
    ...{ totp, recoveryCodes, passkeys, ownerOf, list, checkFactor },
    pendingLogins: createPendingLogins(database, now),
    trustedBrowsers: createTrustedBrowsers(database, trustedBrowserDays, now),

    /** The ways to prove a second factor, the one used last first. */
    async methodsOf(account: Pick<Account, 'user'>): Promise<FactorMethod[]> {
      if (policy === 'off') return [];
      const owner = ownerOf(account);
      const { passkeys, totp, hasAny } = await list(owner);
      if (!hasAny) return [];
      const used = [
        ...passkeys.map(({ lastUsedAt }) => ({ method: 'passkey' as const, lastUsedAt })),
        ...(totp ? [{ method: 'totp' as const, lastUsedAt: totp.lastUsedAt }] : []),
      ].sort((one, other) => Number(other.lastUsedAt ?? 0) - Number(one.lastUsedAt ?? 0));
      const methods = new Set(used.map(({ method }) => method));
      return [...methods, ...((await recoveryCodes.count(owner)) > 0 ? ['recovery_code' as const] : [])];
    },
  };
}
