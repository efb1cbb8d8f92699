import type { Database } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { listParts } from '../../ground/database/list-pages.ts';
import type { Accounts, ListedRow } from './accounts.ts';
import { admins } from './scopes.ts';
import { createSearch, inOrder } from './search.ts';
import type { Source } from './source/source.ts';
import type { ExportedUser, ListEntry, ListedUser, UserListQuery } from './user-directory.ts';

/** Users that one statement reads. SQLite takes about 2 ms for them, and other requests wait meanwhile. */
const usersPerPage = 100;

interface UserListOptions {
  readonly accounts: Accounts;
  readonly source: Source | undefined;
  /** Canonical names that `ADMINISTRATORS` lists. */
  readonly administrators: ReadonlySet<string>;
}

/** Lists the users whom Janua knows. With a team's own table, it sorts and filters by the copy in `janua_users` (`copyOf`). */
export function createUserList(database: Database, { accounts, source, administrators }: UserListOptions) {
  const { toListed, columns, joinSource } = accounts;
  const select = sql<ListedRow>`select ${columns}, janua_users.created_at from janua_users ${joinSource}`;
  /** Selects the accounts of the configured source. All others are inactive. */
  const counts =
    source === undefined ? sql`janua_users.login_name is not null` : sql`janua_users.source_key is not null`;

  async function listSome(ids: readonly string[]): Promise<ListedUser[]> {
    if (ids.length === 0) return [];
    const { rows } = await sql<ListedRow>`${select} where janua_users.id in (${sql.join(ids)})`.execute(database);
    return rows.flatMap((row) => toListed(row) ?? []);
  }

  const { findByPrefix, listFound } = createSearch(database, listSome);

  async function readRows({ sort, state = '', ...part }: UserListQuery): Promise<ListedRow[]> {
    const wanted = { '': sql`1 = 1`, disabled: sql`janua_users.disabled = 1` }[state] ?? sql`janua_users.disabled = 0`;
    const end = inOrder(sql.ref(`janua_users.${sort}`), sql.ref('janua_users.id'), part, sql`${counts} and ${wanted}`);
    return [...(await sql<ListedRow>`${select} ${end}`.execute(database)).rows];
  }

  const keyOf = (row: ListedRow, sort: UserListQuery['sort']) =>
    [String(row[sort as 'username' | 'created_at']), row.account_id] as const;

  /** Reads every row, in the order of names. */
  const listRows = () =>
    listParts(
      (after: UserListQuery['after']) => readRows({ sort: 'username', descending: false, after, limit: usersPerPage }),
      // The value as stored and not as text, because SQLite orders a blob after all texts.
      (row) => [row.username, row.account_id] as const,
    );

  /** Finds the ids of users whom `ADMINISTRATORS` may make administrators. */
  async function findAdministrators(): Promise<string[]> {
    if (administrators.size === 0) return [];
    const listed = database
      .selectFrom('janua_users')
      .select('id')
      .where('login_name', 'in', [...administrators]);
    return (await listed.execute()).map(({ id }) => id);
  }

  return {
    listSome,
    listFound,

    async *list(): AsyncGenerator<ListedUser> {
      for await (const rows of listRows()) yield* rows.flatMap((row) => toListed(row) ?? []);
    },

    async *listWithHashes(): AsyncGenerator<readonly ExportedUser[]> {
      for await (const rows of listRows())
        yield rows.flatMap((row) => {
          const listed = toListed(row);
          return listed === undefined ? [] : { ...listed, passwordHash: accounts.read(row)?.passwordHash ?? '' };
        });
    },

    async count(limit: number): Promise<number> {
      const { rows } = await sql<{ count: number | string }>`select count(*) as count from
        (select 1 as one from janua_users where ${counts} limit ${sql.lit(limit)}) counted`.execute(database);
      return Number(rows[0]?.count);
    },

    async listPage(part: UserListQuery): Promise<ListEntry[]> {
      return (await readRows(part)).map((row) => ({ key: keyOf(row, part.sort), user: toListed(row) }));
    },

    async findIds(
      by: 'prefix' | 'group' | 'disabled' | 'added-by',
      value: string,
      limit: number,
    ): Promise<readonly string[] | undefined> {
      if (by === 'prefix') return findByPrefix(value, limit);
      if (by === 'group' && source?.hasGroups && value !== admins) return undefined;
      const found = {
        group: sql`user_id as id from janua_memberships where group_name = ${value}`,
        disabled: sql`id from janua_users where disabled = 1`,
        'added-by': sql`id from janua_users where added_by = ${value}`,
      }[by];
      const { rows } = await sql<{ id: string }>`select ${found} limit ${sql.lit(limit)}`.execute(database);
      return [...rows.map(({ id }) => id), ...(by === 'group' && value === admins ? await findAdministrators() : [])];
    },
  };
}
