import type { Database } from '../database/database.ts';
import { countDeleted, deleteExpiredRows } from '../database/deletions.ts';
import { createSecret, createSessionId, hashSecret, isSame } from '../sessions/credential.ts';
import type { FactorOwner } from './owner.ts';

const shape = /^([\w-]{22})\.([\w-]{43})$/;

export interface TrustedBrowser {
  readonly id: string;
  readonly userAgent: string;
  readonly trustedAt: Date;
}

export type TrustedBrowsers = ReturnType<typeof createTrustedBrowsers>;

/**
 * Browsers that are not asked for a second factor for some days. Each is bound to the account and its stamp, so that a new password or a
 * change of factors ends the trust. It never replaces the password.
 */
export function createTrustedBrowsers(database: Database, days: number, now: () => number) {
  const rowsOf = ({ userId, username }: FactorOwner) =>
    database
      .selectFrom('janua_trusted_browsers')
      .selectAll()
      .where('user_id', '=', userId)
      .where('username', '=', username)
      .where('expires_at', '>', now());

  return {
    /** Gives the text of the cookie. */
    async trust(owner: FactorOwner, stamp: string, userAgent: string | undefined): Promise<string> {
      const [id, secret] = [createSessionId(), createSecret()];
      const times = { trusted_at: now(), expires_at: now() + days * 86_400_000 };
      const bound = { user_id: owner.userId, username: owner.username, stamp, user_agent: userAgent ?? '' };
      const row = { id, secret_hash: hashSecret(secret), ...bound, ...times };
      await database.insertInto('janua_trusted_browsers').values(row).execute();
      return `${id}.${secret}`;
    },

    async isTrusted(text: string, owner: FactorOwner, stamp: string): Promise<boolean> {
      const [, id = '', secret = ''] = shape.exec(text) ?? [];
      if (id === '' || days === 0) return false;
      const row = await rowsOf(owner).where('id', '=', id).executeTakeFirst();
      return row !== undefined && row.stamp === stamp && isSame(hashSecret(secret), row.secret_hash);
    },

    async list(owner: FactorOwner, stamp: string): Promise<TrustedBrowser[]> {
      const rows = await rowsOf(owner).where('stamp', '=', stamp).orderBy('trusted_at', 'desc').execute();
      return rows.map(({ id, user_agent: userAgent, trusted_at }) => ({
        id,
        userAgent,
        trustedAt: new Date(Number(trusted_at)),
      }));
    },

    /** Ends one, or all without an `id`. Returns how many there were. */
    async end({ userId }: FactorOwner, id?: string, db = database): Promise<number> {
      const own = db.deleteFrom('janua_trusted_browsers').where('user_id', '=', userId);
      return countDeleted(id === undefined ? own : own.where('id', '=', id));
    },

    removeExpired: (time: number, limit: number) =>
      deleteExpiredRows(database, 'janua_trusted_browsers', 'id', time, limit),
  };
}
