import type { Account } from '../../../core/users/account.ts';
import type { OpenDatabase } from '../../../ground/database/database.ts';
import { insertNew } from '../../../ground/database/insert-new.ts';
import { inTransaction } from '../../../ground/database/transaction.ts';
import { waitingSeconds } from '../sign-in/pending-address.ts';
import { briefOf } from './brief-records.ts';
import { createGrantRecords } from './grant-records.ts';
import { createKeptRecords } from './kept-records.ts';
import { createRecordLimits, mostAssertions } from './record-limits.ts';
import { createRecordRows, emptyRow, keyOf, type Payload, table } from './record-rows.ts';
import type { BriefRecords } from './redis-requests.ts';

export interface RecordOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The key from which the successor of a refresh token is derived. */
  readonly key: Buffer;
  /** Finds the id of the user whom applications know by this subject. */
  readonly userIdOf: (subject: string) => Promise<string | undefined>;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly isAlive: (sessionId: string) => Promise<boolean>;
  /** Records in Redis. Undefined without Redis. */
  readonly brief?: BriefRecords | undefined;
}

/** Milliseconds for which a used assertion is stored at least. */
const leastKept = 300_000;

export interface UsedAssertion {
  /** The address of the client's document. */
  readonly issuer: string;
  readonly jti: string;
  /** Expiry of the assertion, in milliseconds since 1970. */
  readonly end: number;
  /** The host or network whose assertions are counted together. */
  readonly party: string;
}

/** A device that is being answered. */
export interface TakenDevice {
  readonly id: string;
  readonly payload: string;
}

export type Records = ReturnType<typeof createRecords>;

/** Stores the records of the provider in the database, and short-lived ones in Redis if there is one. */
export function createRecords(opened: OpenDatabase, options: RecordOptions) {
  const { now, findAccount, brief } = options;
  const rows = createRecordRows(opened, findAccount);
  const { database, findRow, findByLookup } = rows;
  const limits = createRecordLimits(rows, options.isAlive);
  const kept = createKeptRecords(rows, limits, options);
  const grants = createGrantRecords(rows, limits, options);

  /** Returns the records of one kind, with the methods that the library expects. */
  const of = (model: string) =>
    brief !== undefined && model === 'Interaction' ? briefOf(model, brief, now) : kept.of(model);

  return {
    of,
    newRefreshToken: kept.newRefreshToken,
    successorOf: kept.successorOf,
    removeOfEnded: limits.removeOfEnded,
    ...grants,

    /** Marks an assertion of a client as used. Of several requests with it at a time, one gets `new`. */
    async useAssertion({ issuer, jti, end, ...by }: UsedAssertion): Promise<'new' | 'used' | 'too-many'> {
      const model = 'Assertion';
      const id = keyOf(model, JSON.stringify([issuer, jti]));
      const party = keyOf('assertions', by.party);
      // Otherwise assertions that are about to expire would make room for new ones at once, while their rows still wait for the cleaning.
      const keptUntil = Math.max(end, now() + leastKept);
      const hasRoom =
        brief === undefined
          ? await limits.hasRoomForAssertion(party, now())
          : await brief.takeRoom(id, keptUntil, { party, most: mostAssertions, now: now() });
      if (!hasRoom) return 'too-many';
      const row = { ...emptyRow, id, model, party, created_at: now(), expires_at: keptUntil };
      const isNew =
        brief === undefined ? insertNew(database.insertInto(table).values(row)) : brief.putNew(id, keptUntil);
      return (await isNew) ? 'new' : 'used';
    },

    /** Returns when a waiting request came, in milliseconds since 1970. */
    async startOf(uid: string): Promise<number> {
      if (brief !== undefined) return Number((await of('Interaction').find(uid))?.createdAt);
      return Number((await findRow(keyOf('Interaction', uid)))[0]?.created_at);
    },

    /** Claims a request that waits for its user, before a grant is issued. Of several answers at a time, one gets true. */
    async takeInteraction(uid: string): Promise<boolean> {
      if (brief !== undefined) return brief.putNew(keyOf('Taken', uid), now() + waitingSeconds * 1000);
      const { numUpdatedRows } = await database
        .updateTable(table)
        .set({ consumed_at: now() })
        .where('id', '=', keyOf('Interaction', uid))
        .where('consumed_at', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    /**
     * Claims a device that waits for its user, before a grant is issued. Undefined if it was answered already, or has expired. Of several
     * answers at a time, one gets the device.
     */
    async takeDevice(userCode: string): Promise<TakenDevice | undefined> {
      const [row] = await findByLookup(keyOf('user code', userCode));
      if (row === undefined || Number(row.expires_at) <= now()) return undefined;
      const taken = database.updateTable(table).set({ lookup: null }).where('id', '=', row.id);
      const { numUpdatedRows } = await taken.where('lookup', '=', row.lookup).executeTakeFirst();
      return numUpdatedRows > 0n ? { id: row.id, payload: row.payload } : undefined;
    },

    /** Answers a device. It gets its tokens with its next request. @param stamp of the account. The grant lasts until the stamp changes */
    answerDevice: ({ id, payload }: TakenDevice, answer: Payload, stamp?: string): Promise<void> =>
      inTransaction(database, async (db) => {
        const { grantId } = answer;
        const isGiven = typeof grantId === 'string' && stamp !== undefined;
        const answered = {
          payload: JSON.stringify({ ...JSON.parse(payload), ...answer }),
          grant_id: isGiven ? keyOf('Grant', grantId) : null,
        };
        await db.updateTable(table).set(answered).where('id', '=', id).execute();
        if (isGiven) await grants.keep(grantId, stamp, db);
      }),
  };
}
