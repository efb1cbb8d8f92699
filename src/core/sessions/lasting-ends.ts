import type { Database, OpenDatabase } from '../../ground/database/database.ts';
import { removeBeyond } from '../../ground/database/deletions.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import { boundOf } from '../../ground/database/tables.ts';
import { inTransaction, onCommit } from '../../ground/database/transaction.ts';
import { clockTolerance } from '../../ground/faults/clock.ts';
import { isSessionId } from './credential.ts';
import type { SessionRecord, SessionStore, TransactionalSessionStore } from './store.ts';

const table = 'janua_ended_sessions';
const notBeforeTable = 'janua_not_before';

/**
 * Milliseconds by which the clocks of two servers may differ before `janua doctor` warns. A session that another server starts at the same
 * moment must not end.
 */
const margin = 2_000;

/**
 * A row of `janua_not_before`: the user's sessions that began before `not_before` have ended, except the session `kept_id`. Both are null
 * if there is no row.
 */
export interface NotBefore {
  readonly not_before: number | string | null;
  readonly kept_id: string | null;
}

export const isBefore = (
  session: Pick<SessionRecord, 'id' | 'createdAt'>,
  { not_before, kept_id }: NotBefore,
): boolean => not_before !== null && session.createdAt < Number(not_before) && session.id !== kept_id;

/**
 * Stores the ends of sessions in the database too. A replica of Redis that takes over, or a server that restarts from its last snapshot,
 * may have missed the latest removals. A session that Redis restores in this way stays ended.
 * @param idleMilliseconds the longest time that a session lasts without being used
 */
export function withLastingEnds(
  store: SessionStore,
  { database, prepareLookup }: OpenDatabase,
  idleMilliseconds: number,
  now: () => number = Date.now,
): TransactionalSessionStore {
  const ended = database.selectFrom(table).select('id');
  const findEnded = prepareLookup((id) => ended.where('id', '=', id), 'id');
  const notBefore = database.selectFrom(notBeforeTable).select(['not_before', 'kept_id']);
  const findNotBefore = prepareLookup((userId) => notBefore.where('user_id', '=', userId));

  // A restored session is never used again, so Redis has removed it by then, and the end may be forgotten.
  const forgottenAt = () => now() + idleMilliseconds + clockTolerance;

  /**
   * Stores a time before which all sessions of a user have ended, because the list of their ids in Redis may be incomplete: in a cluster,
   * the list is on another node than the sessions.
   */
  async function noteNotBefore(userId: string, keptId: string | undefined): Promise<void> {
    const row = { not_before: now() - margin, kept_id: keptId ?? null, expires_at: forgottenAt() };
    const known = database.updateTable(notBeforeTable).set(row).where('user_id', '=', userId);
    if ((await known.executeTakeFirst()).numUpdatedRows > 0n) return;
    if (await insertNew(database.insertInto(notBeforeTable).values({ user_id: userId, ...row }))) return;
    await known.execute();
  }

  const toEnds = (ids: readonly string[], userId: string | undefined) =>
    [...new Set(ids)].filter(isSessionId).map((id) => ({ id, user_id: userId ?? null, expires_at: forgottenAt() }));

  /**
   * Removes the oldest ends of a user if there are too many. Redis might then restore such a session, but only the user's own sessions are
   * affected.
   */
  async function limitEnds(userId: string, db: Database = database): Promise<void> {
    const own = db.selectFrom(table).select('id').where('user_id', '=', userId);
    await removeBeyond(db, table, own.orderBy('expires_at', 'desc').orderBy('id', 'desc'), boundOf(table).most);
  }

  async function noteEnd(ids: readonly string[], userId: string | undefined): Promise<void> {
    const rows = toEnds(ids, userId);
    await Promise.all(rows.map((row) => insertNew(database.insertInto(table).values(row))));
    if (rows.length > 0 && userId !== undefined) await limitEnds(userId);
  }

  async function remove(ids: readonly string[], userId?: string): Promise<number> {
    await noteEnd(ids, userId);
    return store.remove(ids);
  }

  const findAllEnded = async (ids: readonly string[]) =>
    new Set(ids.length === 0 ? [] : (await ended.where('id', 'in', ids).execute()).map(({ id }) => id));

  async function listOfUser(userId: string) {
    const records = await store.listOfUser(userId);
    const gone = await findAllEnded(records.map(({ id }) => id));
    const [before] = await findNotBefore(userId);
    return records.filter((record) => !gone.has(record.id) && !(before && isBefore(record, before)));
  }

  return {
    ...store,

    async insert(record, replaced) {
      await store.insert(record, []);
      if (replaced.length === 0) return;
      try {
        await noteEnd(replaced, record.userId);
      } catch (error) {
        // The client does not get the new session. If it cannot be removed, it expires unused.
        await store.remove([record.id]).catch(() => {});
        throw error;
      }
      // The replaced sessions have ended, even if Redis keeps them for a while.
      await store.remove(replaced).catch(() => {});
    },

    async find(id) {
      const [record, [end]] = await Promise.all([store.find(id), findEnded(id)]);
      if (record === undefined || end !== undefined) return undefined;
      const [before] = await findNotBefore(record.userId);
      return before && isBefore(record, before) ? undefined : record;
    },

    remove,

    async removeWith(id, within) {
      const record = await store.find(id);
      const ends = toEnds([id], record?.userId);
      if (ends.length === 0 || record === undefined) return false;
      return insertNew({
        execute: () =>
          inTransaction(database, async (db) => {
            await db.insertInto(table).values(ends).execute();
            await limitEnds(record.userId, db);
            await within(db);
            // The session has ended, even if Redis keeps it for a while.
            onCommit(db, () => store.remove([id]).catch(() => {}));
          }),
      });
    },

    listOfUser,

    async removeOfUser(userId, keptId) {
      const ids = (await store.listOfUser(userId)).flatMap(({ id }) => (id === keptId ? [] : [id]));
      await noteEnd(ids, userId);
      await noteNotBefore(userId, keptId);
      return store.remove(ids);
    },

    async removeOldestOfUser(userId, time, kept) {
      const ids = await store.removeOldestOfUser(userId, time, kept);
      await noteEnd(ids, userId);
      return ids;
    },
  };
}
