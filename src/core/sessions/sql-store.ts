import type { Selectable } from 'kysely';
import type { Database, OpenDatabase } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { sql } from '../../ground/database/kysely.ts';
import { type SessionsTable, sessionColumns } from '../../ground/database/schema.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import { clockTolerance } from '../../ground/faults/clock.ts';
import { createSecret, createSessionId, hashSecret } from './credential.ts';
import type { AuthenticationMethod, Renewal, SessionRecord, TransactionalSessionStore } from './store.ts';

/** Most sessions of one user that are removed at once. More exist only if the operator has lowered the limit. */
const oldestAtOnce = 100;

export function createSqlSessionStore({ database, prepareLookup }: OpenDatabase): TransactionalSessionStore {
  const session = database.selectFrom('janua_sessions').select(sessionColumns);
  const findRow = prepareLookup((id) => session.where('id', '=', id), 'id');

  return {
    async insert(record, replaced) {
      const add = (db: Database) => db.insertInto('janua_sessions').values(toRow(record)).execute();
      if (replaced.length === 0) {
        await add(database);
        return;
      }
      await inTransaction(database, async (transaction) => {
        await add(transaction);
        await transaction.deleteFrom('janua_sessions').where('id', 'in', replaced).execute();
      });
    },

    async find(id) {
      const [row] = await findRow(id);
      return row && fromRow(row);
    },

    async touch(id, lastSeenAt, expiresAt) {
      await database
        .updateTable('janua_sessions')
        .set({ last_seen_at: lastSeenAt, expires_at: expiresAt })
        .where('id', '=', id)
        .execute();
    },

    async renew(id, renewal) {
      const update = database.updateTable('janua_sessions').set(toRenewed(renewal)).where('id', '=', id);
      return (await update.executeTakeFirst()).numUpdatedRows > 0n;
    },

    remove: (ids) => countDeleted(database.deleteFrom('janua_sessions').where('id', 'in', ids)),

    removeWith: (id, within) =>
      inTransaction(database, async (db) => {
        if ((await countDeleted(db.deleteFrom('janua_sessions').where('id', '=', id))) === 0) return false;
        await within(db);
        return true;
      }),

    async listOfUser(userId) {
      const rows = await database.selectFrom('janua_sessions').selectAll().where('user_id', '=', userId).execute();
      return rows.map(fromRow);
    },

    removeOfUser: (userId, keptId = '') =>
      countDeleted(database.deleteFrom('janua_sessions').where('user_id', '=', userId).where('id', '!=', keptId)),

    async removeOldestOfUser(userId, time, kept) {
      const oldest = await database
        .selectFrom('janua_sessions')
        .select('id')
        .where('user_id', '=', userId)
        .where('expires_at', '>', time)
        .orderBy(sql`case when created_at > ${time + clockTolerance} then 0 else created_at end`, 'desc')
        .orderBy('id')
        .limit(oldestAtOnce)
        .offset(kept)
        .execute();
      const ids = oldest.map(({ id }) => id);
      if (ids.length > 0) await database.deleteFrom('janua_sessions').where('id', 'in', ids).execute();
      return ids;
    },

    async count(time) {
      const living = database.selectFrom('janua_sessions').where('expires_at', '>', time);
      const { count } = await living.select(({ fn }) => fn.countAll().as('count')).executeTakeFirstOrThrow();
      return Number(count);
    },

    async check() {
      // Tries the statements of a login and a logout, with a session that has already expired and whose secrets are thrown away.
      const id = createSessionId();
      const hash = hashSecret(createSecret());
      const hashes = { password_fingerprint: hash, cookie_hash: hash, token_hash: hash };
      const row = { id, user_id: 'check', ...hashes, created_at: 0, last_seen_at: 0, expires_at: 0 };
      await inTransaction(database, async (transaction) => {
        await transaction.insertInto('janua_sessions').values(row).execute();
        await transaction.deleteFrom('janua_sessions').where('id', '=', id).execute();
      });
    },
  };
}

function toRow(record: SessionRecord) {
  return {
    ...toRenewed(record),
    id: record.id,
    user_id: record.userId,
    created_at: record.createdAt,
    user_agent: record.userAgent ?? '',
    address: record.address ?? '',
    remembered: record.remembered ? 1 : 0,
    token_scope: record.tokenScope ?? null,
  };
}

function toRenewed(renewal: Renewal) {
  return {
    password_fingerprint: renewal.stamp,
    cookie_hash: renewal.cookieHash,
    token_hash: renewal.tokenHash,
    last_seen_at: renewal.lastSeenAt,
    expires_at: renewal.expiresAt,
    authenticated_at: renewal.authenticatedAt,
    methods: renewal.methods.join(' '),
  };
}

export function fromRow(row: Selectable<SessionsTable>): SessionRecord {
  return {
    id: row.id,
    userId: row.user_id,
    stamp: row.password_fingerprint,
    cookieHash: row.cookie_hash,
    tokenHash: row.token_hash,
    createdAt: Number(row.created_at),
    lastSeenAt: Number(row.last_seen_at),
    expiresAt: Number(row.expires_at),
    // 0 in a row that an older version has inserted.
    authenticatedAt: Number(row.authenticated_at) || Number(row.created_at),
    methods: row.methods.split(' ') as AuthenticationMethod[],
    userAgent: row.user_agent || undefined,
    address: row.address || undefined,
    remembered: row.remembered === 1,
    tokenScope: row.token_scope ?? undefined,
  };
}
