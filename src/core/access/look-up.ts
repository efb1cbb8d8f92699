import type { OpenDatabase } from '../../ground/database/database.ts';
import { sessionColumns } from '../../ground/database/schema.ts';
import { fromRow } from '../sessions/sql-store.ts';
import type { SessionRecord, SessionStore } from '../sessions/store.ts';
import type { Account } from '../users/account.ts';
import { type AccountJoin, type prepareUnlessEnded, prepareWithAccount } from '../users/account-join.ts';

/** Finds a session's record and its user's account by the session id. The caller checks whether they are valid. */
export type LookUp = (
  sessionId: string,
) => Promise<{ readonly session: SessionRecord; readonly account: Account | undefined } | undefined>;

/** Uses one look-up in Redis, and one in the database. The database has the account, and knows whether the session has ended. */
export function createRedisLookUp(
  inRedis: Pick<SessionStore, 'find'>,
  findAccount: ReturnType<typeof prepareUnlessEnded>,
): LookUp {
  return async (sessionId) => {
    const session = await inRedis.find(sessionId);
    return session && { session, account: await findAccount(session) };
  };
}

/** Uses one statement, for sessions and users in one database. */
export function createSqlLookUp(opened: OpenDatabase, accounts: AccountJoin): LookUp {
  const find = prepareWithAccount(opened, 'janua_sessions', sessionColumns, accounts);
  return async (sessionId) => {
    const found = await find(sessionId);
    return found && { session: fromRow(found.row), account: found.account };
  };
}
