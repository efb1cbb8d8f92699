import type { Selectable } from 'kysely';
import type { Database } from '../database/database.ts';
import { prepareLookup } from '../database/lookup.ts';
import type { SessionsTable } from '../database/schema.ts';
import type { SessionRecord, SessionStore } from './store.ts';

/** Sessions in a table of the SQL database. */
export function createSqlSessionStore(database: Database): SessionStore {
  const findRow = prepareLookup(database, (id) =>
    database.selectFrom('janua_sessions').selectAll().where('id', '=', id),
  );

  return {
    async insert(record, replaced) {
      const add = (db: Database) => db.insertInto('janua_sessions').values(toRow(record)).execute();
      if (replaced.length === 0) {
        await add(database);
        return;
      }
      await database.transaction().execute(async (transaction) => {
        await add(transaction);
        await transaction.deleteFrom('janua_sessions').where('id', 'in', replaced).execute();
      });
    },

    async find(id) {
      const row = await findRow(id);
      return row === undefined ? undefined : fromRow(row);
    },

    async touch(id, lastSeenAt) {
      await database.updateTable('janua_sessions').set({ last_seen_at: lastSeenAt }).where('id', '=', id).execute();
    },

    async remove(ids) {
      const result = await database.deleteFrom('janua_sessions').where('id', 'in', ids).executeTakeFirst();
      return Number(result.numDeletedRows);
    },

    async removeOfUser(userId) {
      const result = await database.deleteFrom('janua_sessions').where('user_id', '=', userId).executeTakeFirst();
      return Number(result.numDeletedRows);
    },

    async removeUnseenSince(time, limit) {
      const unseen = await database
        .selectFrom('janua_sessions')
        .select('id')
        .where('last_seen_at', '<', time)
        .limit(limit)
        .execute();
      if (unseen.length === 0) return 0;
      // Asked again while deleting: a session may have been seen since.
      const result = await database
        .deleteFrom('janua_sessions')
        .where('last_seen_at', '<', time)
        .where(
          'id',
          'in',
          unseen.map(({ id }) => id),
        )
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

function toRow(record: SessionRecord): SessionsTable {
  return {
    id: record.id,
    user_id: record.userId,
    cookie_hash: record.cookieHash,
    token_hash: record.tokenHash,
    created_at: record.createdAt,
    last_seen_at: record.lastSeenAt,
  };
}

function fromRow(row: Selectable<SessionsTable>): SessionRecord {
  return {
    id: row.id,
    userId: row.user_id,
    cookieHash: row.cookie_hash,
    tokenHash: row.token_hash,
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at,
  };
}
