import { createSecret, hashSecret } from '../../core/sessions/credential.ts';
import { keptUserAgent } from '../../core/sessions/sessions.ts';
import { limitRows } from '../../core/users/row-limits.ts';
import type { User } from '../../core/users/user.ts';
import type { Database } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { columnsOf } from './rows.ts';

/**
 * Browsers in which users need no second factor for some days. Each trust is bound to the account and its stamp, so a new password or a
 * change of factors ends it. Trust never replaces the password. Ids are hashes of the secrets.
 */
export function createTrustedBrowsers(database: Database, days: number, now: () => number) {
  const trustOf = (user: Pick<User, 'id'>, stamp: string) =>
    database
      .selectFrom('janua_trusted_browsers')
      .selectAll()
      .where('user_id', '=', user.id)
      .where('stamp', '=', stamp)
      .where('expires_at', '>', now());

  return {
    /** Stores the trust in a browser. The caller then calls `makeRoom` in another transaction. @returns the secret for the cookie */
    async trust(user: Pick<User, 'id'>, stamp: string, userAgent = '', db = database): Promise<string> {
      const secret = createSecret();
      const times = { trusted_at: now(), expires_at: now() + days * 86_400_000 };
      const user_agent = keptUserAgent(userAgent) ?? '';
      const row = { id: hashSecret(secret), ...columnsOf(user), stamp, user_agent, ...times };
      await db.insertInto('janua_trusted_browsers').values(row).execute();
      return secret;
    },

    /** Ends the trust in the oldest browsers beyond the limit. @returns their number */
    makeRoom: (user: Pick<User, 'id'>, db = database): Promise<number> =>
      limitRows(db, 'janua_trusted_browsers', user, now()),

    async isTrusted(secret: string | undefined, user: Pick<User, 'id'>, stamp: string): Promise<boolean> {
      if (!secret || days === 0) return false;
      return (await trustOf(user, stamp).where('id', '=', hashSecret(secret)).executeTakeFirst()) !== undefined;
    },

    async list(user: Pick<User, 'id'>, stamp: string) {
      const rows = await trustOf(user, stamp).orderBy('trusted_at', 'desc').execute();
      return rows.map(({ id, user_agent: userAgent, trusted_at: at }) => ({
        id,
        userAgent,
        trustedAt: new Date(Number(at)),
      }));
    },

    /** Ends the trust in a browser, or in all without an `id`. @returns their number */
    async end(user: Pick<User, 'id'>, id?: string, db = database): Promise<number> {
      const own = db.deleteFrom('janua_trusted_browsers').where('user_id', '=', user.id);
      return countDeleted(id === undefined ? own : own.where('id', '=', id));
    },
  };
}
