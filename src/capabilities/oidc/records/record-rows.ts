import { hash } from 'node:crypto';
import { type Account, stampOf } from '../../../core/users/account.ts';
import type { OpenDatabase } from '../../../ground/database/database.ts';
import { removeFound } from '../../../ground/database/deletions.ts';
import type { Row } from '../../../ground/database/schema.ts';
import { onCommit } from '../../../ground/database/transaction.ts';

/** The content of a record: a code, a token, a grant, or a request that waits for its user. */
export type Payload = Record<string, unknown>;

export const table = 'janua_oidc_records';

/** Milliseconds for which an unused grant lasts that outlives its session. */
export const unusedMilliseconds = 30 * 86_400_000;

export const keyOf = (model: string, id: string): string => hash('sha256', `${model} ${id}`, 'base64url');

/** Characters that a refresh token shares with all its successors: 132 random bits, which only their holders know. */
export const familyLength = 22;

export const hasFamily = (token: string): boolean => token.length === familyLength + 43;

/** Returns the key that all refresh tokens of one sign-in share. */
export const familyKeyOf = (token: string): string => keyOf('refresh tokens', token.slice(0, familyLength));

/** Stands for a record's own id in its payload. JSON never contains it, because control characters are escaped. */
export const ownIdPlaceholder = '\u0001';

export const emptyRow = {
  payload: '{}',
  grant_id: null,
  lookup: null,
  user_id: null,
  client_id: null,
  session_id: null,
  stamp: null,
  consumed_at: null,
  polled_at: null,
  party: null,
};

/** The columns of a record that the library gets, and those that tell whether it is valid. */
export type FoundRecord = Pick<
  Row<typeof table>,
  'id' | 'payload' | 'stamp' | 'user_id' | 'consumed_at' | 'expires_at'
>;

export type RecordRows = ReturnType<typeof createRecordRows>;

/** Creates the queries of records in the database. */
export function createRecordRows(
  { database, prepareLookup }: OpenDatabase,
  findAccount: (userId: string) => Promise<Account | undefined>,
) {
  const rows = database.selectFrom(table);
  return {
    database,
    rows,
    prepareLookup,
    /** The session of each grant that is being saved. */
    sessionsOfNew: new Map<string, string>(),
    findRow: prepareLookup((id) => rows.selectAll().where('id', '=', id), 'id'),
    findToken: prepareToken({ database, prepareLookup }),
    findByLookup: prepareLookup((lookup) => rows.selectAll().where('lookup', '=', lookup), 'lookup'),

    /**
     * Ends grants at once, in the transaction if there is one. Their codes and tokens, which are worth nothing without them, follow in
     * batches, between which others run. Those that a fault leaves behind expire.
     */
    async revoke(grantKeys: readonly string[], db = database): Promise<void> {
      if (grantKeys.length === 0) return;
      await db.deleteFrom(table).where('id', 'in', grantKeys).execute();
      const removeTokens = () => removeFound(database, table, rows.select('id').where('grant_id', 'in', grantKeys));
      if (db.isTransaction) onCommit(db, () => removeTokens().catch(() => {}));
      else await removeTokens();
    },

    /** Tells whether a record is still valid. A changed password or a disabled account ends a grant that outlives its session. */
    async isStillValid({ stamp, user_id }: FoundRecord): Promise<boolean> {
      if (stamp === null) return true;
      const account = await findAccount(user_id ?? '');
      return account !== undefined && !account.disabled && stampOf(account) === stamp;
    },
  };
}

/** Prepares a look-up of a token with all that a use of it needs. */
const prepareToken = ({ database, prepareLookup }: Pick<OpenDatabase, 'database' | 'prepareLookup'>) =>
  prepareLookup(
    (key) =>
      database
        .selectFrom(`${table} as token`)
        .leftJoin(`${table} as given`, 'given.id', 'token.grant_id')
        .leftJoin('janua_subjects as subject', 'subject.user_id', 'given.user_id')
        .leftJoin('janua_clients as client', 'client.id', 'token.client_id')
        .select(['token.id', 'token.payload', 'token.consumed_at', 'token.expires_at'])
        .select(['given.id as grant_id', 'given.payload as grant_payload', 'given.expires_at as grant_expires_at'])
        .select(['given.stamp', 'given.user_id', 'subject.user_id as subject_user_id', 'subject.subject'])
        .select(['client.id as client_id', 'client.name', 'client.secret_hash', 'client.settings', 'client.created_at'])
        .where('token.id', '=', key),
    'id',
  );
