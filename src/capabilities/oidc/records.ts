import type { Account } from '../../core/users/account.ts';
import type { OpenDatabase } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import { briefOf } from './brief-records.ts';
import { createGrantRecords } from './grant-records.ts';
import { createKeptRecords } from './kept-records.ts';
import { createRecordRows, emptyRow, keyOf, type Payload, table } from './record-rows.ts';
import type { BriefRecords } from './redis-requests.ts';

export interface RecordOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From which the successor of a refresh token is derived. */
  readonly key: Buffer;
  /** The user whom applications know by this subject. */
  readonly userIdOf: (subject: string) => Promise<string | undefined>;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly isAlive: (sessionId: string) => Promise<boolean>;
  /** In Redis, where there is one. */
  readonly brief?: BriefRecords | undefined;
}

export type Records = ReturnType<typeof createRecords>;

/** What the provider keeps, in the database or, where there is one, for a short time in Redis. */
export function createRecords(opened: OpenDatabase, options: RecordOptions) {
  const { now, findAccount, brief } = options;
  const rows = createRecordRows(opened, findAccount);
  const { database, findRow, findByLookup } = rows;
  const kept = createKeptRecords(rows, options);

  /** The records of one kind, as the provider wants them. */
  const of = (model: string) =>
    brief !== undefined && model === 'Interaction' ? briefOf(model, brief, now) : kept.of(model);

  return {
    of,
    newRefreshToken: kept.newRefreshToken,
    successorOf: kept.successorOf,
    ...createGrantRecords(rows, options),

    /**
     * Uses an assertion of a client. False if it was used before: of several requests at a time, one gets true.
     * @param end when the assertion ends, in milliseconds since 1970
     */
    async useAssertion(issuer: string, jti: string, end: number): Promise<boolean> {
      const model = 'Assertion';
      const id = keyOf(model, JSON.stringify([issuer, jti]));
      if (brief !== undefined) return brief.putNew(id, end);
      const row = { ...emptyRow, id, model, created_at: now(), expires_at: end };
      return insertNew(database.insertInto(table).values(row));
    },

    /** When a request that waits came, in milliseconds since 1970. */
    async startOf(uid: string): Promise<number> {
      if (brief !== undefined) return Number((await of('Interaction').find(uid))?.createdAt);
      return Number((await findRow(keyOf('Interaction', uid)))[0]?.created_at);
    },

    /** Answers a device: it gets its tokens when it asks next. False if it was answered already, or has expired. */
    async answerDevice(userCode: string, answer: Payload): Promise<boolean> {
      const [row] = await findByLookup(keyOf('user code', userCode));
      if (row === undefined || Number(row.expires_at) <= now()) return false;
      const { grantId } = answer;
      const { numUpdatedRows } = await database
        .updateTable(table)
        .set({
          payload: JSON.stringify({ ...JSON.parse(row.payload), ...answer }),
          grant_id: typeof grantId === 'string' ? keyOf('Grant', grantId) : null,
          lookup: null,
        })
        .where('id', '=', row.id)
        .where('lookup', '=', row.lookup)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
  };
}
