import type { Database } from '../database/database.ts';
import type { Account } from '../users/account.ts';
import type { FactorOwner } from './owner.ts';
import type { Passkeys } from './passkeys.ts';
import type { RecoveryCodes } from './recovery-codes.ts';
import type { Totp } from './totp.ts';

/** What an account can prove besides its password. */
export type FactorMethod = 'passkey' | 'totp' | 'recovery_code';

export interface FactorOptions {
  /** Undefined where the host cannot have passkeys. */
  readonly passkeys: Pick<Passkeys, 'list'> | undefined;
  readonly totp: Pick<Totp, 'find'>;
  readonly recoveryCodes: Pick<RecoveryCodes, 'count'>;
  /** Whether the users are in a team's own table. */
  readonly ownTable: boolean;
  /** Whether second factors are ignored. */
  readonly isOff: boolean;
}

export type Factors = ReturnType<typeof createFactors>;

/** Which second factors an account has. */
export function createFactors({ passkeys, totp, recoveryCodes, ownTable, isOff }: FactorOptions) {
  const ownerOf = ({ user }: Pick<Account, 'user'>): FactorOwner => ({
    userId: user.id,
    username: ownTable ? user.username : '',
  });

  return {
    ownerOf,

    /** Whether a user has a factor, also where factors are ignored. `db` may be a transaction. */
    async hasAny(owner: FactorOwner, db?: Database): Promise<boolean> {
      if ((await totp.find(owner, db)) !== undefined) return true;
      return ((await passkeys?.list(owner, db)) ?? []).length > 0;
    },

    /** The ways to prove a second factor, the one used last first. Recovery codes alone are no factor. */
    async methodsOf(account: Pick<Account, 'user'>): Promise<FactorMethod[]> {
      if (isOff) return [];
      const owner = ownerOf(account);
      const [keys, app] = await Promise.all([passkeys?.list(owner) ?? [], totp.find(owner)]);
      const used = [
        ...keys.map(({ lastUsedAt }) => ({ method: 'passkey' as const, at: Number(lastUsedAt ?? 0) })),
        ...(app === undefined ? [] : [{ method: 'totp' as const, at: Number(app.lastUsedAt ?? 0) }]),
      ].sort((one, other) => other.at - one.at);
      if (used.length === 0) return [];
      const methods = [...new Set(used.map(({ method }) => method))];
      return (await recoveryCodes.count(owner)) > 0 ? [...methods, 'recovery_code'] : methods;
    },
  };
}
