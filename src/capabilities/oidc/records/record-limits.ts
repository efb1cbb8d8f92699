import { setImmediate } from 'node:timers/promises';
import { removeBeyond } from '../../../ground/database/deletions.ts';
import { sql } from '../../../ground/database/kysely.ts';
import { repeated } from '../../../ground/database/transaction.ts';
import { type RecordRows, table } from './record-rows.ts';

/**
 * Most grants of a user, lasting grants of a user, lasting grants of a user for one client, and codes or tokens of a kind of one grant.
 * Requests that wait for their user have their own limits (`waiting-room.ts`). Beyond a limit, the oldest are deleted, because the
 * application of a user who signs in again and again would otherwise be locked out. The age of a lasting grant counts from its last use.
 */
export const mostRecords = { grants: 1000, lastingGrants: 300, lastingGrantsOfClient: 50, ofGrant: 100 };

/**
 * Most used assertions of the clients of a host that the operator has listed, and of all other clients whose requests come from one
 * network. Each lasts five minutes. Beyond the limit, new assertions are refused, because the rows guard against replay. Processes that add
 * at the same time may exceed it by a few.
 */
export const mostAssertions = 3000;

/** Sessions that one sweep checks, and those that it reads at once. The next sweep continues where this one stopped. */
const sessionsPerSweep = 10_000;
const sessionsPerPage = 500;

const removedAtOnce = 500;

export type RecordLimits = ReturnType<typeof createRecordLimits>;

export function createRecordLimits(
  { database, rows, prepareLookup, revoke }: RecordRows,
  isAlive: (sessionId: string) => Promise<boolean>,
) {
  /** The session at which the last sweep stopped. */
  let position = '';

  async function revokeAll(grants: readonly { readonly id: string }[], db = database): Promise<void> {
    for (const { id } of grants) await revoke(id, db);
  }

  const grantsOf = (userId: string, db = database) =>
    db.selectFrom(table).select('id').where('user_id', '=', userId).where('model', '=', 'Grant');

  return {
    /** Revokes the oldest grants of a user. Called after a grant was added. */
    async limitGrants(userId: string): Promise<void> {
      const latest = grantsOf(userId).orderBy('created_at', 'desc').orderBy('id', 'desc');
      await revokeAll(await latest.limit(removedAtOnce).offset(mostRecords.grants).execute());
    },

    /** Revokes the oldest lasting grants of a user. Called after a grant was made to last without its session. */
    async limitLasting(grantKey: string, db = database): Promise<void> {
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
    },

    /** Tells whether an assertion may be added. @param party hash of the host or network @param time milliseconds since 1970 */
    async hasRoomForAssertion(party: string, time: number): Promise<boolean> {
      const unexpired = rows.where('model', '=', 'Assertion').where('party', '=', party).where('expires_at', '>', time);
      const { count } = await unexpired.select(({ fn }) => fn.countAll().as('count')).executeTakeFirstOrThrow();
      return Number(count) < mostAssertions;
    },

    /**
     * Finds a grant after a code or token of it was added. Its `excess` is null unless there are too many of that kind. The same statement
     * counts them, because another one would make each sign-in slower.
     */
    findGrant: prepareLookup((grantKey, model) => {
      const one = rows.select('grant_id').where('grant_id', '=', grantKey).where('model', '=', model).limit(sql.lit(1));
      const excess = one.offset(sql.lit(mostRecords.ofGrant)).as('excess');
      return rows.selectAll().select(excess).where('id', '=', grantKey);
    }, 'id'),

    /** Removes the oldest codes or tokens of a grant. */
    async limitOfGrant(grantKey: string, model: string): Promise<void> {
      const own = rows.select('id').where('grant_id', '=', grantKey).where('model', '=', model);
      const latest = own.orderBy('created_at', 'desc').orderBy('id', 'desc');
      // Two requests may delete the same rows, and deadlock.
      await repeated(() => removeBeyond(database, table, latest, mostRecords.ofGrant));
    },

    /** Deletes the grants of sessions that have ended, however they ended. Nothing uses them again. */
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
  };
}
