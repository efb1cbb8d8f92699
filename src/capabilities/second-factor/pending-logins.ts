import { pendingSeconds } from '../../core/access/factor.ts';
import { createSecret, hashSecret } from '../../core/sessions/credential.ts';
import type { AuthenticationMethod } from '../../core/sessions/store.ts';
import { limitRows } from '../../core/users/row-limits.ts';
import type { Database } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';

/** A login that waits for a second factor. It is no session, and gives access only to the second step. */
export interface PendingLogin {
  readonly userId: string;
  /** The stamp of the account when the login began (see `stampOf`). If it has changed, the login has to begin again. */
  readonly stamp: string;
  readonly methods: readonly AuthenticationMethod[];
  readonly remembered: boolean;
  readonly scope: string | undefined;
}

/** Tries after which a pending login ends (VM-37). */
export const mostFailures = 5;

/** Pending logins, in a table of the SQL database. Every method throws `Unavailable` when the database cannot be reached. */
export const createPendingLogins = (database: Database, now: () => number) => ({
  /** Stores a pending login. @returns its secret, for the cookie or as `mfa_token`. Only a hash of it is stored */
  async start({ userId, stamp, methods, remembered, scope }: PendingLogin): Promise<string> {
    const secret = createSecret();
    const row = { id: hashSecret(secret), user_id: userId, stamp, methods: methods.join(' ') };
    const times = { remembered: Number(remembered), expires_at: now() + pendingSeconds * 1000 };
    const values = { ...row, ...times, token_scope: scope ?? null };
    await database.insertInto('janua_pending_logins').values(values).execute();
    await limitRows(database, 'janua_pending_logins', { id: userId }, now());
    return secret;
  },

  /** Finds a pending login by its secret. Undefined if the login has ended, has expired, or has failed too often. */
  async find(secret: string): Promise<(PendingLogin & { readonly id: string }) | undefined> {
    const row = await database
      .selectFrom('janua_pending_logins')
      .selectAll()
      .where('id', '=', hashSecret(secret))
      .where('expires_at', '>', now())
      .where('failures', '<', mostFailures)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { id, user_id: userId, stamp, remembered } = row;
    const methods = row.methods.split(' ') as AuthenticationMethod[];
    return { id, userId, stamp, methods, remembered: remembered === 1, scope: row.token_scope ?? undefined };
  },

  /** Counts a try before it is checked, because many may arrive at the same time. False if there were too many. */
  async takeTry(id: string): Promise<boolean> {
    const row = database.updateTable('janua_pending_logins').where('id', '=', id).where('failures', '<', mostFailures);
    const { numUpdatedRows } = await row.set(({ eb }) => ({ failures: eb('failures', '+', 1) })).executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  async giveBackTry(id: string): Promise<void> {
    const row = database.updateTable('janua_pending_logins').where('id', '=', id);
    await row.set(({ eb }) => ({ failures: eb('failures', '-', 1) })).execute();
  },

  /** Ends a pending login. Of several calls at the same time, one returns true. */
  end: async (id: string): Promise<boolean> =>
    (await countDeleted(database.deleteFrom('janua_pending_logins').where('id', '=', id))) > 0,
});
