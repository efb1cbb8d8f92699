import { hash } from 'node:crypto';
import { type Account, stampOf } from '../../../core/users/account.ts';
import type { OpenDatabase } from '../../../ground/database/database.ts';
import { removeFound, removeRows } from '../../../ground/database/deletions.ts';
import type { Row } from '../../../ground/database/schema.ts';
import { onCommit } from '../../../ground/database/transaction.ts';

/** The content of a record: a code, a token, a grant, or a request that waits for its user. */
export type Payload = Record<string, unknown>;

export const table = 'janua_oidc_records';

/** Milliseconds after its last use for which a grant that outlives its session is valid. */
export const unusedMilliseconds = 30 * 86_400_000;

export const keyOf = (model: string, id: string): string => hash('sha256', `${model} ${id}`, 'base64url');

/**
 * Characters of the prefix that a refresh token shares with all its successors, its family: 132 random bits, which only the client knows.
 */
export const familyLength = 22;

export const hasFamily = (token: string): boolean => token.length === familyLength + 43;

/** Returns the key that all refresh tokens of one sign-in share. */
export const familyKeyOf = (token: string): string => keyOf('refresh tokens', token.slice(0, familyLength));

/**
 * Replaces a record's own id in the stored payload, because only hashes of ids are stored. JSON never contains this character, because it
 * escapes control characters.
 */
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

/** The columns that hold the library's payload, and those that tell whether the record is valid. */
export type FoundRecord = Pick<
  Row<typeof table>,
  'id' | 'payload' | 'stamp' | 'user_id' | 'consumed_at' | 'expires_at'
>;

export type RecordRows = ReturnType<typeof createRecordRows>;

export function createRecordRows(
  { database, prepareLookup }: OpenDatabase,
  findAccount: (userId: string) => Promise<Account | undefined>,
) {
  const rows = database.selectFrom(table);

  /** Finds the codes and tokens of revoked grants. A grant that was issued again has the id of the former one. */
  const tokensOfRevoked = (grantKeys: readonly string[]) =>
    database
      .selectFrom(`${table} as token`)
      .leftJoin(`${table} as given`, 'given.id', 'token.grant_id')
      .select('token.id')
      .where('token.grant_id', 'in', grantKeys)
      .where('given.id', 'is', null);

  return {
    database,
    rows,
    prepareLookup,
    /** Ids of sessions, by the ids of the grants that are being saved (`bind`). */
    sessionsOfNew: new Map<string, string>(),
    findRow: prepareLookup((id) => rows.selectAll().where('id', '=', id), 'id'),
    findToken: prepareToken({ database, prepareLookup }),
    findByLookup: prepareLookup((lookup) => rows.selectAll().where('lookup', '=', lookup), 'lookup'),

    /**
     * Deletes grants at once, in the transaction if there is one. Their codes and tokens are invalid without the grant. They are deleted
     * afterwards in batches, for which the caller does not wait. Rows that a fault leaves behind expire.
     */
    async revoke(grantKeys: readonly string[], db = database): Promise<void> {
      if (grantKeys.length === 0) return;
      await db.deleteFrom(table).where('id', 'in', grantKeys).execute();
      const removeTokens = () => {
        removeFound(database, table, tokensOfRevoked(grantKeys)).catch(() => {});
      };
      if (db.isTransaction) onCommit(db, removeTokens);
      else removeTokens();
    },

    /**
     * Deletes the codes and tokens that the former grant of this id has left behind. They would be valid again with a new grant. A grant has
     * few of them (`mostRecords.ofGrant`).
     */
    async removeLeftovers(grantKey: string): Promise<void> {
      await removeRows(database, table, tokensOfRevoked([grantKey]).execute());
    },

    /** Tells whether a record is still valid. A changed password or a disabled account ends a grant that outlives its session. */
    async isStillValid({ stamp, user_id }: FoundRecord): Promise<boolean> {
      if (stamp === null) return true;
      const account = await findAccount(user_id ?? '');
      return account !== undefined && !account.disabled && stampOf(account) === stamp;
    },
  };
}

/** Prepares the query that reads a token with its grant, its client and the subject of its user, which saves further queries. */
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
        .select(['client.id as client_id', 'client.name', 'client.secrets', 'client.settings', 'client.created_at'])
        .where('token.id', '=', key),
    'id',
  );
