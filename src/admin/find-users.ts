import type { Database } from '../database/database.ts';
import { sql } from '../database/kysely.ts';
import { accountColumns } from '../database/schema.ts';
import { type AccountRow, type DirectoryOptions, longestWord, toAccount, wordsOf } from '../users/sql-directory.ts';
import type { User } from '../users/user.ts';
import { cursorOf, type ListQuery, type ListRules, mostCandidates } from './list.ts';

/** After every text that begins with a prefix. */
const last = '\u{10ffff}';

export const userRules: ListRules = {
  filters: { group: undefined, state: ['enabled', 'disabled'], factor: ['yes', 'no'] },
  sorts: ['username'],
  // The user name; of a search the word that was found and the id.
  keyLength: ({ q }) => (q === '' ? 1 : 2),
};

export interface FoundUser {
  readonly user: User;
  readonly disabled: boolean;
  readonly hasFactor: boolean;
  readonly createdAt: Date;
}

/**
 * Finds users in Janua's own table, in three statements. It reads rows in the order of an index: of the words that a search looks for, of the
 * members of a group, or of the user names. The rest of the filters are applied to at most `mostCandidates` rows.
 */
export function createFindUsers(database: Database, options: DirectoryOptions) {
  const columns = [
    'janua_users.id as account_id',
    'janua_users.created_at',
    ...accountColumns.map((name) => `janua_users.${name}` as const),
  ] as const;

  async function readCandidates({ q, filters, descending, after, limit }: ListQuery) {
    const [direction, than] = descending ? (['desc', '<'] as const) : (['asc', '>'] as const);
    const beyond = descending ? sql`<` : sql`>`;
    const isFiltered = filters.state !== '' || filters.factor !== '' || q !== '';
    const most = isFiltered ? mostCandidates : limit + 1;
    if (q !== '') {
      const prefix = q.slice(0, longestWord);
      let words = database
        .selectFrom('janua_search')
        .innerJoin('janua_users', 'janua_users.id', 'janua_search.user_id')
        .select([...columns, 'word'])
        .where('word', '>=', prefix)
        .where('word', '<', prefix + last);
      if (after !== undefined)
        words = words.where(sql<boolean>`(word, janua_search.user_id) ${beyond} (${after[0]}, ${after[1]})`);
      const ordered = words.orderBy('word', direction).orderBy('janua_search.user_id', direction).limit(most);
      const rows = await ordered.execute();
      return rows.map((row) => ({
        row,
        key: [row.word, row.account_id],
        isSeen: isSeen(row, row.word, prefix, descending),
      }));
    }
    const [name = ''] = after ?? [];
    if (filters.group !== '') {
      const members = database
        .selectFrom('janua_memberships')
        .innerJoin('janua_users', 'janua_users.id', 'janua_memberships.user_id')
        .select(columns)
        .where('group_name', '=', filters.group ?? '');
      const from = after === undefined ? members : members.where('janua_memberships.username', than, name);
      const rows = await from.orderBy('janua_memberships.username', direction).limit(most).execute();
      return rows.map((row) => ({ row, key: [row.username], isSeen: false }));
    }
    const all = database.selectFrom('janua_users').select(columns);
    const from = after === undefined ? all : all.where('janua_users.username', than, name);
    const rows = await from.orderBy('janua_users.username', direction).limit(most).execute();
    return rows.map((row) => ({ row, key: [row.username], isSeen: false }));
  }

  /** Which of these users have a second factor. */
  async function findFactors(ids: readonly string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set();
    const passkeys = database.selectFrom('janua_passkeys').select('user_id').where('user_id', 'in', ids);
    const apps = database.selectFrom('janua_totp').select('user_id').where('user_id', 'in', ids);
    return new Set((await passkeys.union(apps).execute()).map((row) => row.user_id));
  }

  return async (query: ListQuery) => {
    const { filters, limit } = query;
    const candidates = await readCandidates(query);
    const factors = await findFactors(candidates.map(({ row }) => row.account_id));
    const users: FoundUser[] = [];
    let end: readonly string[] | undefined;
    for (const { row, key, isSeen } of candidates) {
      if (users.length === limit) break;
      end = key;
      const { user, disabled } = toAccount(row.account_id, row as AccountRow, options);
      const hasFactor = factors.has(user.id);
      const passes =
        !isSeen &&
        (filters.group === '' || user.groups.includes(filters.group ?? '')) &&
        (filters.state === '' || disabled === (filters.state === 'disabled')) &&
        (filters.factor === '' || hasFactor === (filters.factor === 'yes'));
      if (passes) users.push({ user, disabled, hasFactor, createdAt: new Date(Number(row.created_at)) });
    }
    const reachedEnd = candidates.length < (query.q || filters.state || filters.factor ? mostCandidates : limit + 1);
    const isLast = reachedEnd && end === candidates.at(-1)?.key;
    return { users, nextCursor: end === undefined || isLast ? undefined : cursorOf(end) };
  };
}

/** Whether an earlier word of the same user has shown the user already. */
function isSeen(row: Parameters<typeof wordsOf>[0], word: string, prefix: string, descending: boolean): boolean {
  const matching = wordsOf(row).filter((one) => one?.startsWith(prefix)) as string[];
  return matching.some((one) => (descending ? one > word : one < word));
}
