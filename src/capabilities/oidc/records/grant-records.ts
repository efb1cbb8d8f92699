import { removeOfClient } from '../../../ground/database/deletions.ts';
import type { RecordLimits } from './record-limits.ts';
import { keyOf, type RecordRows, table, unusedMilliseconds } from './record-rows.ts';
import type { RecordOptions } from './records.ts';

/** Stores the grants of applications: the session of each, its lifetime, and the list of those that a user still has. */
export function createGrantRecords(
  { database, revoke, isStillValid, sessionsOfNew }: RecordRows,
  { limitLasting }: RecordLimits,
  { now, isAlive }: Pick<RecordOptions, 'now' | 'isAlive'>,
) {
  const grantsOf = (userId: string, db = database) =>
    db
      .selectFrom(table)
      .selectAll()
      .where('user_id', '=', userId)
      .where('model', '=', 'Grant')
      .where('expires_at', '>', now());

  return {
    /** Saves a new grant together with its session, because the library has no such field. */
    async bind(grantId: string, sessionId: string, save: () => Promise<unknown>): Promise<void> {
      sessionsOfNew.set(grantId, sessionId);
      await save().finally(() => sessionsOfNew.delete(grantId));
    },

    /** Makes a grant outlive its session, until the stamp of the account changes or nothing has used it for 30 days. */
    async keep(grantId: string, stamp: string, db = database): Promise<void> {
      const kept = { stamp, session_id: null, expires_at: now() + unusedMilliseconds };
      await db.updateTable(table).set(kept).where('id', '=', keyOf('Grant', grantId)).execute();
      await limitLasting(keyOf('Grant', grantId), db);
    },

    async revokeOf(userId: string, clientId: string, db = database): Promise<void> {
      const grants = grantsOf(userId, db).where('client_id', '=', clientId);
      for (const { id } of await grants.execute()) await revoke(id, db);
    },

    async revokeClient(clientId: string): Promise<void> {
      await removeOfClient(database, table, clientId);
    },

    /** Lists the applications that hold a living grant of a user, and the time of the first such grant. */
    async clientsOf(userId: string): Promise<{ readonly clientId: string; readonly since: Date }[]> {
      const found = new Map<string, Date>();
      // Many grants share a few sessions or stamps, so each of these is checked once.
      const living = new Map<string | null, boolean>();
      for (const row of await grantsOf(userId).orderBy('created_at').execute()) {
        const reason = row.session_id ?? row.stamp;
        const lives =
          living.get(reason) ?? (row.session_id === null ? await isStillValid(row) : await isAlive(row.session_id));
        living.set(reason, lives);
        const clientId = row.client_id ?? '';
        if (lives && !found.has(clientId)) found.set(clientId, new Date(Number(row.created_at)));
      }
      return [...found].map(([clientId, since]) => ({ clientId, since }));
    },
  };
}
