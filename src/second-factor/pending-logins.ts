import type { Database } from '../database/database.ts';
import { countDeleted, deleteExpiredRows } from '../database/deletions.ts';
import { createSecret, createSessionId, hashSecret, isSame } from '../sessions/credential.ts';
import type { AuthenticationMethod } from '../sessions/store.ts';

/** A login that waits for a second factor. It is no session: it opens nothing but the second step. */
export interface PendingLogin {
  readonly id: string;
  readonly userId: string;
  /** The account's stamp. With another stamp the login has to begin again. */
  readonly stamp: string;
  /** What was proved already. */
  readonly methods: readonly AuthenticationMethod[];
  /** Whether the user chose to stay signed in. */
  readonly remembered: boolean;
}

/** How long a login waits for its second factor, in seconds. */
export const pendingSeconds = 600;

/** Wrong codes after which a pending login ends (VM-37). */
const mostFailures = 5;

const shape = /^([\w-]{22})\.([\w-]{43})$/;

export type PendingLogins = ReturnType<typeof createPendingLogins>;

/** Pending logins, in a table of the SQL database. Every method throws `Unavailable` when it cannot be reached. */
export function createPendingLogins(database: Database, now: () => number) {
  const living = (id: string) =>
    database
      .selectFrom('janua_pending_logins')
      .selectAll()
      .where('id', '=', id)
      .where('expires_at', '>', now())
      .where('failures', '<', mostFailures);

  return {
    /** Gives the text of the cookie or `mfa_token`, known only at this moment. */
    async start({ userId, stamp, methods, remembered }: Omit<PendingLogin, 'id'>): Promise<string> {
      const [id, secret] = [createSessionId(), createSecret()];
      const row = { id, user_id: userId, stamp, methods: methods.join(' '), remembered: remembered ? 1 : 0 };
      const values = { ...row, secret_hash: hashSecret(secret), expires_at: now() + pendingSeconds * 1000 };
      await database.insertInto('janua_pending_logins').values(values).execute();
      return `${id}.${secret}`;
    },

    /** Undefined for a text that is no pending login, or one that has expired or failed too often. */
    async find(text: string): Promise<PendingLogin | undefined> {
      const [, id = '', secret = ''] = shape.exec(text) ?? [];
      const row = await living(id).executeTakeFirst();
      if (row === undefined || !isSame(hashSecret(secret), row.secret_hash)) return undefined;
      const methods = row.methods.split(' ') as AuthenticationMethod[];
      return { id, userId: row.user_id, stamp: row.stamp, methods, remembered: row.remembered === 1 };
    },

    async countFailure(id: string): Promise<void> {
      const row = database.updateTable('janua_pending_logins').where('id', '=', id);
      await row.set(({ eb }) => ({ failures: eb('failures', '+', 1) })).execute();
    },

    /** Ends a pending login. Of several calls at the same time, one gets true. */
    async end(id: string): Promise<boolean> {
      return (await countDeleted(database.deleteFrom('janua_pending_logins').where('id', '=', id))) > 0;
    },

    async endAllOf(userId: string, db = database): Promise<void> {
      await db.deleteFrom('janua_pending_logins').where('user_id', '=', userId).execute();
    },

    removeExpired: (time: number, limit: number) =>
      deleteExpiredRows(database, 'janua_pending_logins', 'id', time, limit),
  };
}
