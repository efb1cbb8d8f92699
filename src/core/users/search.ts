import type { RawBuilder } from 'kysely';
import type { Database } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { searchable, type User, wordsOf } from './user.ts';
import type { ListEntry, ListedUser, UserListQuery } from './user-directory.ts';

type Expression = RawBuilder<unknown>;

/** A character that sorts after all others. A prefix with this character at its end sorts after every text that begins with the prefix. */
const last = '\u{10ffff}';

/**
 * Returns the end of a statement that reads a page of rows in the order of a value: `where … order by … limit …`. An index has to begin
 * with that value.
 * @param id tells rows with the same value apart. Undefined if each row has its own value
 */
export function inOrder(
  value: Expression,
  id: Expression | undefined,
  { after, descending, limit }: Pick<UserListQuery, 'after' | 'descending' | 'limit'>,
  where: Expression = sql`1 = 1`,
): Expression {
  const [than, direction] = descending ? [sql`<`, sql`desc`] : [sql`>`, sql`asc`];
  const [text, key = ''] = after ?? [];
  const beyond = sql`${value} ${than} ${text}`;
  // Compares the value alone first. MariaDB uses no index for a comparison of pairs, such as (value, id) > (…).
  const from = id === undefined ? beyond : sql`${value} ${than}= ${text} and (${beyond} or ${id} ${than} ${key})`;
  return sql`where ${where} and ${text === undefined ? sql`${value} is not null` : from}
    order by ${value} ${direction}${id === undefined ? sql`` : sql`, ${id} ${direction}`} limit ${sql.lit(limit)}`;
}

/** Finds users by the beginning of their address or names, whose words are in `janua_search`. */
export function createSearch(database: Database, listSome: (ids: readonly string[]) => Promise<ListedUser[]>) {
  const word = sql.ref('word');
  const hasPrefix = (kind: number, prefix: string) =>
    sql`kind = ${sql.lit(kind)} and ${word} >= ${prefix} and ${word} < ${prefix + last}`;

  return {
    async findByPrefix(prefix: string, limit: number): Promise<string[]> {
      const found = searchable.map(
        (name, kind) => sql`select * from (select user_id as id from janua_search
          where ${hasPrefix(kind, prefix)} limit ${sql.lit(limit)}) ${sql.ref(name)}`,
      );
      const { rows } = await sql<{ id: string }>`${sql.join(found, sql` union all `)}`.execute(database);
      return rows.map(({ id }) => id);
    },

    /**
     * Lists the users whose address begins with the prefix, then by full name, then by last name (`searchable`). The keys contain the kind
     * of word, so that the next page goes on there.
     */
    async listFound(prefix: string, { after, descending, limit }: Omit<UserListQuery, 'sort'>): Promise<ListEntry[]> {
      const [value = '', place = ''] = after ?? [];
      const [, begin = '0', id = ''] = /^(\d) (.*)$/s.exec(place) ?? [];
      const found: { value: string; id: string; kind: number }[] = [];
      for (const [kind] of searchable.entries()) {
        if (kind < Number(begin) || found.length === limit) continue;
        const part = {
          after: after && kind === Number(begin) ? [value, id] : undefined,
          descending,
          limit: limit - found.length,
        };
        const end = inOrder(word, sql.ref('user_id'), part, hasPrefix(kind, prefix));
        const { rows } = await sql<{ value: string; id: string }>`
          select word as value, user_id as id from janua_search ${end}`.execute(database);
        found.push(...rows.map((row) => ({ ...row, kind })));
      }
      const users = new Map((await listSome([...new Set(found.map((row) => row.id))])).map((user) => [user.id, user]));
      return found.map((row) => {
        const user = users.get(row.id);
        const words = user && wordsOf(user);
        const isShown = searchable.slice(0, row.kind).some((name) => words?.[name]?.startsWith(prefix));
        return { key: [row.value, `${row.kind} ${row.id}`], user: isShown ? undefined : user };
      });
    },
  };
}

/** Updates the words by which searches find a user. A search that runs meanwhile may miss the user. */
export async function indexWords(id: string, changed: Parameters<typeof wordsOf>[0], db: Database): Promise<void> {
  const rows = searchRows(id, changed);
  const ids = rows.map((row) => row.id);
  await db.deleteFrom('janua_search').where('id', 'in', ids).execute();
  await db.insertInto('janua_search').values(rows).execute();
}

/** Returns the rows of `janua_search` for a user, or for the texts that have changed. */
export function searchRows(id: string, changed: Partial<Pick<User, (typeof searchable)[number]>>) {
  const words = wordsOf(changed);
  const rows = searchable.map((name, kind) => ({ id: `${id} ${kind}`, kind, word: words[name], user_id: id }));
  return rows.flatMap(({ word, ...row }) => (word === undefined ? [] : [{ ...row, word }]));
}
