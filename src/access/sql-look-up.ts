import type { OpenDatabase } from '../database/database.ts';
import { prepareLookup } from '../database/lookup.ts';
import { accountColumns, sessionColumns } from '../database/schema.ts';
import { fromRow } from '../sessions/sql-store.ts';
import { type AccountRow, type DirectoryOptions, toAccount } from '../users/sql-directory.ts';
import type { LookUp } from './look-up.ts';

/** One statement, for sessions and users in our own tables of one database. */
export function createSqlLookUp({ database, prepareRead }: OpenDatabase, { demoUsers }: DirectoryOptions): LookUp {
  const findRow = prepareLookup(prepareRead, (sessionId) =>
    database
      .selectFrom('janua_sessions')
      .leftJoin('janua_users', 'janua_users.id', 'user_id')
      .select(sessionColumns.map((column) => `janua_sessions.${column}` as const))
      .select(['janua_users.id as account_id', ...accountColumns])
      .where('janua_sessions.id', '=', sessionId),
  );
  return async (sessionId) => {
    const [row] = await findRow(sessionId);
    // MySQL ignores trailing spaces.
    if (row?.id !== sessionId) return undefined;
    const account = row.account_id === row.user_id ? toAccount(row.user_id, row as AccountRow, demoUsers) : undefined;
    return { session: fromRow(row), account };
  };
}
