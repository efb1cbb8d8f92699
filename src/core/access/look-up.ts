import type { OpenDatabase } from '../../ground/database/database.ts';
import { accountColumns, sessionColumns } from '../../ground/database/schema.ts';
import { fromRow } from '../sessions/sql-store.ts';
import type { SessionRecord, SessionStore } from '../sessions/store.ts';
import type { Account } from '../users/account.ts';
import { type AccountRow, type DirectoryOptions, toAccount } from '../users/sql-directory.ts';
import type { UserDirectory } from '../users/user-directory.ts';

/** Finds a session's record and its user's account by the session id. The caller checks whether they are valid. */
export type LookUp = (
  sessionId: string,
) => Promise<{ readonly session: SessionRecord; readonly account: Account | undefined } | undefined>;

export function lookUpTwice(sessions: Pick<SessionStore, 'find'>, users: Pick<UserDirectory, 'findById'>): LookUp {
  return async (sessionId) => {
    const session = await sessions.find(sessionId);
    return session && { session, account: await users.findById(session.userId) };
  };
}

/** One statement, for sessions and users in our own tables of one database. */
export function createSqlLookUp({ database, prepareLookup }: OpenDatabase, options: DirectoryOptions): LookUp {
  const found = database
    .selectFrom('janua_sessions')
    .leftJoin('janua_users', 'janua_users.id', 'user_id')
    .select(sessionColumns.map((column) => `janua_sessions.${column}` as const))
    .select(['janua_users.id as account_id', ...accountColumns]);
  const findRow = prepareLookup((sessionId) => found.where('janua_sessions.id', '=', sessionId), 'id');
  return async (sessionId) => {
    const [row] = await findRow(sessionId);
    if (row === undefined) return undefined;
    const account = row.account_id === row.user_id ? toAccount(row.user_id, row as AccountRow, options) : undefined;
    return { session: fromRow(row), account };
  };
}
