import type { Database } from '../database/database.ts';
import type { Account } from '../users/account.ts';
import type { FactorOptions } from './options.ts';
import type { FactorOwner } from './owner.ts';
import { createPendingLogins } from './pending-logins.ts';
import { createRecoveryCodes } from './recovery-codes.ts';
import { createTotp } from './totp.ts';
import { createTrustedBrowsers } from './trusted-browsers.ts';

/** What an account can prove besides its password. */
export type FactorMethod = 'passkey' | 'totp' | 'recovery_code';

export type Factors = ReturnType<typeof createFactors>;

/** What is stored about second factors, and which of them an account has. */
export function createFactors(options: FactorOptions) {
  const { database, passkeys, registry, trustedBrowserDays, policy, now } = options;
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

  return {
    ...{ totp, recoveryCodes, passkeys, ownerOf, list },
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
