import type { RawBuilder } from 'kysely';
import type { OpenDatabase } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { isBefore, type NotBefore } from '../sessions/lasting-ends.ts';
import type { SessionRecord } from '../sessions/store.ts';
import type { Account } from './account.ts';

/** SQL that reads the account of a user together with another row that names the user, such as a session. */
export interface AccountJoin {
  /** The columns of an account. The other row has no columns of these names. */
  readonly columns: RawBuilder<unknown>;
  /**
   * Returns a `left join …` that uses an index. No value of the column makes the statement fail.
   * @param userId the column of the other row that names the user
   */
  join(userId: RawBuilder<unknown>): RawBuilder<unknown>;
  /** Returns undefined if the account is inactive (`toAccount` in `accounts.ts`). */
  read(row: object): Account | undefined;
}

/**
 * Prepares a look-up of the account of a session in Redis. It finds no account if the database says that the session has ended
 * (`core/sessions/lasting-ends.ts`).
 */
export function prepareUnlessEnded({ database, prepareLookup }: OpenDatabase, accounts: AccountJoin) {
  type Found = NotBefore & { readonly ended: string | null; readonly account_id: string | null };
  const findRows = prepareLookup<Found, readonly [userId: string, sessionId: string]>((userId, sessionId) => {
    const id = sql`${userId}`;
    const found = sql<Found>`select janua_ended_sessions.id as ended, janua_not_before.not_before, janua_not_before.kept_id,
        ${accounts.columns}
      from (select 1 as one) one_row left join janua_ended_sessions on janua_ended_sessions.id = ${sessionId}
      left join janua_not_before on janua_not_before.user_id = ${id} ${accounts.join(id)}`;
    return { compile: () => found.compile(database) };
  });
  return async (session: SessionRecord): Promise<Account | undefined> => {
    const [row] = await findRows(session.userId, session.id);
    const lives = row?.ended === null && !isBefore(session, row) && row.account_id === session.userId;
    return lives ? accounts.read(row) : undefined;
  };
}

/** Prepares a look-up of a row by its `id`, and of the account that its `user_id` names, in one statement. */
export function prepareWithAccount<Row extends { readonly id: string; readonly user_id: string }>(
  { database, prepareLookup }: OpenDatabase,
  table: 'janua_sessions' | 'janua_access_tokens',
  columns: readonly (keyof Row & string)[],
  accounts: AccountJoin,
) {
  const ref = (column: string) => sql.ref(`${table}.${column}`);
  const userId = ref('user_id');
  const found = sql<Row & { readonly account_id: string | null }>`
    select ${sql.join([...columns.map(ref), accounts.columns])} from ${sql.table(table)} ${accounts.join(userId)}`;
  const findRows = prepareLookup<Row & { readonly account_id: string | null }>(
    (id) => ({
      compile: () => sql<Row & { account_id: string | null }>`${found} where ${ref('id')} = ${id}`.compile(database),
    }),
    'id',
  );
  return async (id: string) => {
    const [row] = await findRows(id);
    // The database may compare ids less exactly than JavaScript, such as by a collation that ignores case.
    return row && { row, account: row.account_id === row.user_id ? accounts.read(row) : undefined };
  };
}
