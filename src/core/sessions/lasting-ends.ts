import type { OpenDatabase } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import { clockTolerance } from '../../ground/faults/clock.ts';
import { isSessionId } from './credential.ts';
import type { SessionStore } from './store.ts';

const table = 'janua_ended_sessions';

/**
 * Keeps the ends of sessions in the database too. A replica of Redis that takes over, or a server that restarts from its last snapshot, may
 * have missed the latest removals: what it brings back stays ended.
 * @param idleMilliseconds how long a session lasts at most without being used
 */
export function withLastingEnds(
  store: SessionStore,
  { database, prepareLookup }: OpenDatabase,
  idleMilliseconds: number,
): SessionStore {
  const ended = database.selectFrom(table).select('id');
  const findEnded = prepareLookup((id) => ended.where('id', '=', id), 'id');

  async function noteEnd(ids: readonly string[]): Promise<void> {
    // Nothing uses it again, so Redis removes what it brings back by then.
    const end = Date.now() + idleMilliseconds + clockTolerance;
    const rows = [...new Set(ids)].filter(isSessionId).map((id) => ({ id, expires_at: end }));
    await Promise.all(rows.map((row) => insertNew(database.insertInto(table).values(row))));
  }

  async function remove(ids: readonly string[]): Promise<number> {
    await noteEnd(ids);
    return store.remove(ids);
  }

  const findAllEnded = async (ids: readonly string[]) =>
    new Set(ids.length === 0 ? [] : (await ended.where('id', 'in', ids).execute()).map(({ id }) => id));

  async function listOfUser(userId: string) {
    const records = await store.listOfUser(userId);
    const gone = await findAllEnded(records.map(({ id }) => id));
    return records.filter(({ id }) => !gone.has(id));
  }

  return {
    ...store,

    async insert(record, replaced) {
      await store.insert(record, []);
      if (replaced.length === 0) return;
      try {
        await noteEnd(replaced);
      } catch (error) {
        // The client does not get the new session. If it cannot be removed, it expires unused.
        await store.remove([record.id]).catch(() => {});
        throw error;
      }
      // They have ended, even if Redis keeps them for a while.
      await store.remove(replaced).catch(() => {});
    },

    async find(id) {
      const [record, [end]] = await Promise.all([store.find(id), findEnded(id)]);
      return end === undefined ? record : undefined;
    },

    remove,
    listOfUser,

    async removeOfUser(userId) {
      return remove((await store.listOfUser(userId)).map(({ id }) => id));
    },

    async removeOldestOfUser(userId, time, kept) {
      const ids = await store.removeOldestOfUser(userId, time, kept);
      await noteEnd(ids);
      return ids;
    },
  };
}
