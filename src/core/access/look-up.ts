import type { OpenDatabase } from '../../ground/database/database.ts';
import { sessionColumns } from '../../ground/database/schema.ts';
import { fromRow } from '../sessions/sql-store.ts';
import type { SessionRecord, SessionStore } from '../sessions/store.ts';
import type { Account } from '../users/account.ts';
import { type AccountJoin, prepareWithAccount } from '../users/account-join.ts';
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

/** One statement, for sessions and users in one database. */
export function createSqlLookUp(opened: OpenDatabase, accounts: AccountJoin): LookUp {
  const find = prepareWithAccount(opened, 'janua_sessions', sessionColumns, accounts);
  return async (sessionId) => {
    const found = await find(sessionId);
    return found && { session: fromRow(found.row), account: found.account };
  };
}
