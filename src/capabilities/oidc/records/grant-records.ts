import { setImmediate } from 'node:timers/promises';
import { stampOf } from '../../../core/users/account.ts';
import { removeBeyond, removeOfClient } from '../../../ground/database/deletions.ts';
import { sql } from '../../../ground/database/kysely.ts';
import { repeated } from '../../../ground/database/transaction.ts';
import { keyOf, type RecordRows, table, unusedMilliseconds } from './record-rows.ts';
import type { RecordOptions } from './records.ts';

/**
 * Most grants of a user; lasting grants of a user, which outlive their session; lasting grants of a user for one client; and codes or
 * tokens of one grant, of each kind, but for exchanged ones. Beyond a limit, the oldest are deleted. Refusing new ones would lock out a user who signs in again and
 * again. The age of a lasting grant counts from its last use. Requests that wait for their user have limits in `sign-in/room-limits.ts`.
 */
export const mostRecords = { grants: 1000, lastingGrants: 300, lastingGrantsOfClient: 50, ofGrant: 100 };

/**
 * Most used client assertions (RFC 7523) that are stored for one party. A party is a client of the operator, a host of client documents that
 * the operator has listed, or else the network of the requests. Each row guards against replay, so new assertions beyond the limit are refused. Processes that store
 * assertions at the same time may exceed the limit by a few.
 */
export const mostAssertions = 3000;

/** Most sessions that one sweep checks, and most that it reads by one query. The next sweep continues where this one stopped. */
const sessionsPerSweep = 10_000;
const sessionsPerPage = 500;

const removedAtOnce = 500;

/**
 * Manages the grants of applications: binds each to its session or lets it outlive the session, limits their number, and lists those of a
 * user.
 */
export function createGrantRecords(
  { database, rows, prepareLookup, revoke, sessionsOfNew }: RecordRows,
  { now, findAccount, isAlive, listSessions }: Pick<RecordOptions, 'now' | 'findAccount' | 'isAlive' | 'listSessions'>,
) {
  /** The id of the session at which the last sweep stopped. Empty: the next sweep begins anew. */
  let position = '';

  const revokeAll = (grants: readonly { readonly id: string }[], db = database): Promise<void> =>
    revoke(
      grants.map(({ id }) => id),
      db,
    );

  const grantsOf = (userId: string, db = database) =>
    db.selectFrom(table).select('id').where('user_id', '=', userId).where('model', '=', 'Grant');

  const livingOf = (userId: string, db = database) =>
    db
      .selectFrom(table)
      .select(['id', 'client_id', 'session_id', 'stamp', 'created_at'])
      .where('user_id', '=', userId)
      .where('model', '=', 'Grant')
      .where('expires_at', '>', now());

  /** Revokes a user's oldest lasting grants beyond the limits. Called after a grant was made to outlive its session. */
  async function limitLasting(grantKey: string, db = database): Promise<void> {
    const one = db.selectFrom(table).select(['user_id', 'client_id']).where('id', '=', grantKey);
    const { user_id: userId, client_id: clientId } = (await one.executeTakeFirst()) ?? {};
    if (!userId || !clientId) return;
    const lasting = grantsOf(userId, db)
      .where('stamp', 'is not', null)
      .orderBy('expires_at', 'desc')
      .orderBy('id', 'desc');
    const ofClient = lasting.where('client_id', '=', clientId).offset(mostRecords.lastingGrantsOfClient);
    await revokeAll(await ofClient.limit(removedAtOnce).execute(), db);
    await revokeAll(await lasting.offset(mostRecords.lastingGrants).limit(removedAtOnce).execute(), db);
  }

  return {
    /** Revokes a user's oldest grants beyond the limit. Called after a grant was added. */
    async limitGrants(userId: string): Promise<void> {
      const latest = grantsOf(userId).orderBy('created_at', 'desc').orderBy('id', 'desc');
      await revokeAll(await latest.limit(removedAtOnce).offset(mostRecords.grants).execute());
    },

    /**
     * Tells whether an assertion may be stored.
     * @param party hash of the party (`mostAssertions`)
     * @param time milliseconds since 1970
     */
    async hasRoomForAssertion(party: string, time: number): Promise<boolean> {
      const unexpired = rows.where('model', '=', 'Assertion').where('party', '=', party).where('expires_at', '>', time);
      const { count } = await unexpired.select(({ fn }) => fn.countAll().as('count')).executeTakeFirstOrThrow();
      return Number(count) < mostAssertions;
    },

    /**
     * Finds the grant of a code or token that was just stored. `excess` is null unless the grant has too many records of that kind. The
     * same statement counts them, because a second one would slow down each sign-in.
     */
    findGrant: prepareLookup((grantKey, model) => {
      const own = rows.select('grant_id').where('grant_id', '=', grantKey).where('model', '=', model);
      const one = own.where('party', 'is', null).limit(sql.lit(1));
      const excess = one.offset(sql.lit(mostRecords.ofGrant)).as('excess');
      return rows.selectAll().select(excess).where('id', '=', grantKey);
    }, 'id'),

    /** Deletes the oldest codes or tokens of a grant beyond the limit. */
    async limitOfGrant(grantKey: string, model: string): Promise<void> {
      const own = rows.select('id').where('grant_id', '=', grantKey).where('model', '=', model);
      const latest = own.where('party', 'is', null).orderBy('created_at', 'desc').orderBy('id', 'desc');
      // Two requests that delete the same rows may deadlock, so the statement is repeated.
      await repeated(() => removeBeyond(database, table, latest, mostRecords.ofGrant));
    },

    /** Deletes the grants of sessions that have ended, however they ended. No request can use these grants any more. */
    async removeOfEnded(): Promise<void> {
      const bound = rows.select('session_id').distinct().where('session_id', 'is not', null).orderBy('session_id');
      for (let count = 0; count < sessionsPerSweep; count += sessionsPerPage) {
        const page = await bound.where('session_id', '>', position).limit(sessionsPerPage).execute();
        for (const { session_id: sessionId } of page)
          if (sessionId !== null && !(await isAlive(sessionId)))
            await revokeAll(await rows.select('id').where('session_id', '=', sessionId).execute());
        position = page.length < sessionsPerPage ? '' : (page.at(-1)?.session_id ?? '');
        if (position === '') return;
        await setImmediate();
      }
    },

    /**
     * Saves a grant with the id of its session. The library's grants have no field for the id, so `upsert` reads it from
     * `sessionsOfNew`.
     */
    async bind(grantId: string, sessionId: string, save: () => Promise<unknown>): Promise<void> {
      sessionsOfNew.set(grantId, sessionId);
      await save().finally(() => sessionsOfNew.delete(grantId));
    },

    /** Makes a grant outlive its session, until the stamp of the account changes (`stampOf`), or the grant is not used for 30 days. */
    async keep(grantId: string, stamp: string, db = database): Promise<void> {
      const kept = { stamp, session_id: null, expires_at: now() + unusedMilliseconds };
      await db.updateTable(table).set(kept).where('id', '=', keyOf('Grant', grantId)).execute();
      await limitLasting(keyOf('Grant', grantId), db);
    },

    async revokeOf(userId: string, clientId: string, db = database): Promise<void> {
      await revokeAll(await livingOf(userId, db).where('client_id', '=', clientId).execute(), db);
    },

    async revokeClient(clientId: string): Promise<void> {
      await removeOfClient(database, table, clientId);
    },

    /** Lists the applications that hold a living grant of a user, and the time of the first such grant. */
    async clientsOf(userId: string): Promise<{ readonly clientId: string; readonly since: Date }[]> {
      const account = await findAccount(userId);
      if (account === undefined || account.disabled) return [];
      // Reads all sessions of the user at once. Each grant may have another session, and a look-up for each grant would hold up other
      // requests.
      const sessions = new Set((await listSessions(account)).map(({ id }) => id));
      const found = new Map<string, Date>();
      for (const row of await livingOf(userId).orderBy('created_at').execute()) {
        const { session_id: sessionId, stamp, client_id: clientId } = row;
        const lives = sessionId === null ? stamp === null || stamp === stampOf(account) : sessions.has(sessionId);
        if (lives && !found.has(clientId ?? '')) found.set(clientId ?? '', new Date(Number(row.created_at)));
      }
      return [...found].map(([clientId, since]) => ({ clientId, since }));
    },
  };
}
