import { Refusal } from '../../core/access/refusal.ts';
import type { Account } from '../../core/users/account.ts';
import { inOrder } from '../../core/users/search.ts';
import { longestWord, searchable, wordsOf } from '../../core/users/user.ts';
import type { ListEntry, ListedUser, UserDirectory, UserListQuery } from '../../core/users/user-directory.ts';
import type { Database } from '../../ground/database/database.ts';
import { isUnrepresentable } from '../../ground/database/errors.ts';
import { sql } from '../../ground/database/kysely.ts';
import { cursorOf, type ListQuery, type ListRules, mostCandidates, unreadableList } from '../../web/list.ts';

export const userRules: ListRules = {
  searched: true,
  filters: { group: undefined, state: ['enabled', 'disabled'], factor: ['yes', 'no'] },
  sorts: ['username', 'created_at'],
  // A cursor holds the value that sorts, and the id.
  keyLength: 2,
};

export interface FoundUser extends ListedUser {
  readonly lastLoginAt: Date | undefined;
  readonly factors: readonly string[];
}

type FilterQuery = Pick<ListQuery, 'q' | 'filters'>;

/** The users whom a program may read: members of its groups, and those that it added. */
export interface Reach {
  readonly groups: readonly string[];
  /** The client id of the program. */
  readonly addedBy: string;
  /** Judges a user's rights, which may exceed those of the program. */
  readonly allows: (account: Account) => boolean;
}

interface FindUsersOptions {
  /** Whether a column of a team's own table contains the groups. */
  readonly groupsInColumn: boolean;
}

/**
 * Finds users in at most 11 statements: six to look for a filter that few users pass, four to read users in the order of a search, and one
 * for their details. If few users pass one of the filters, all of those are read and sorted. Otherwise at most `mostCandidates` users are
 * read in the order of the list, and those that pass all filters are the page.
 */
export function createFindUsers(
  database: Database,
  users: Pick<UserDirectory, 'findAll' | 'findIds' | 'listSome' | 'listPage' | 'listFound'>,
  { groupsInColumn }: FindUsersOptions,
) {
  async function findWithFactor(): Promise<string[]> {
    const apps = database.selectFrom('janua_totp').select('user_id').limit(mostCandidates);
    const passkeys = database.selectFrom('janua_passkeys').select('user_id').limit(mostCandidates);
    return [...(await apps.execute()), ...(await passkeys.execute())].map((row) => row.user_id);
  }

  async function listMembers(group: string, part: Omit<UserListQuery, 'sort'>): Promise<ListEntry[]> {
    const where = sql`group_name = ${group}`;
    const { rows } = await sql<{ id: string; username: string }>`
      select user_id as id, username from janua_memberships
      ${inOrder(sql`username`, sql`user_id`, part, where)}`.execute(database);
    const found = new Map((await users.listSome(rows.map(({ id }) => id))).map((user) => [user.id, user]));
    return rows.map(({ id, username }) => ({ key: [username, id], user: found.get(id) }));
  }

  /** Undefined if there are many. */
  async function findReached({ groups, addedBy }: Reach): Promise<string[] | undefined> {
    const found = await Promise.all([
      ...groups.map((name) => users.findIds('group', name, mostCandidates)),
      users.findIds('added-by', addedBy, mostCandidates),
    ]);
    // No index finds groups that are in a column of a team's own table.
    if (found.includes(undefined)) return undefined;
    const ids = [...new Set(found.flatMap((some) => some ?? []))];
    return ids.length < mostCandidates ? ids : undefined;
  }

  async function findFew(
    { q, filters: { group, state, factor } }: FilterQuery,
    reach?: Reach,
  ): Promise<ListedUser[] | undefined> {
    const searches = [
      reach && (() => findReached(reach)),
      q && (() => users.findIds('prefix', q, mostCandidates)),
      group && (() => users.findIds('group', group, mostCandidates)),
      state === 'disabled' && (() => users.findIds('disabled', '', mostCandidates)),
      factor === 'yes' && findWithFactor,
    ];
    for (const search of searches) {
      const ids = search ? await search() : undefined;
      if (ids !== undefined && ids.length < mostCandidates) return users.listSome([...new Set(ids)]);
    }
    return undefined;
  }

  /** Finds when users logged in last, and which factors they have. */
  async function findDetails(found: readonly ListedUser[]): Promise<Details> {
    const ids = found.map(({ id }) => id);
    const logins = new Map<string, Date>();
    const factors = new Map<string, Set<string>>();
    if (ids.length === 0) return { logins, factors };
    const from = (
      table: 'janua_logins' | 'janua_totp' | 'janua_passkeys',
      kind: string,
      at = sql<number | string>`0`,
    ) =>
      database
        .selectFrom(table)
        .select(['user_id', sql.lit(kind).as('kind'), at.as('at')])
        .where('user_id', 'in', ids);
    const rows = from('janua_logins', 'login', sql`at`)
      .unionAll(from('janua_totp', 'app'))
      .unionAll(from('janua_passkeys', 'passkey'));
    for (const { user_id: id, kind, at } of await rows.execute()) {
      if (kind !== 'login') factors.set(id, (factors.get(id) ?? new Set()).add(kind));
      else if (Number(at) > 0) logins.set(id, new Date(Number(at)));
    }
    return { logins, factors };
  }

  /** Reads users in the order of the list, by the index of the search or of the group if there is one. */
  async function listPage({ q, filters: { group = '', state }, ...part }: ListQuery): Promise<readonly ListEntry[]> {
    if (part.sort !== 'username') return users.listPage({ ...part, state });
    if (q !== '') return users.listFound(q, part);
    return group === '' || groupsInColumn ? users.listPage({ ...part, state }) : listMembers(group, part);
  }

  async function keepReached<Entry extends { readonly user: ListedUser }>(
    entries: readonly Entry[],
    { allows }: Reach,
  ) {
    const accounts = await users.findAll(entries.map(({ user }) => user.id));
    return entries.filter(({ user }) => {
      const account = accounts.get(user.id);
      return account !== undefined && allows(account);
    });
  }

  async function findPage(asked: ListQuery, reach?: Reach) {
    const query = { ...asked, q: asked.q.slice(0, longestWord) };
    const { q, filters, limit } = query;
    const isFiltered = reach !== undefined || [q, ...Object.values(filters)].some((value) => value !== '');
    const most = isFiltered ? mostCandidates : limit + 1;
    const few = await findFew(query, reach);
    const candidates = few ? sortUsers(few, query) : await listPage({ ...query, limit: most });
    const isFound = (user: ListedUser) => {
      const words = wordsOf(user);
      return (
        (filters.group === '' || user.groups.includes(filters.group ?? '')) &&
        (filters.state === '' || user.disabled === (filters.state === 'disabled')) &&
        (q === '' || searchable.some((field) => words[field]?.startsWith(q)))
      );
    };
    const fitting = candidates.flatMap(({ key, user }) => (user && isFound(user) ? [{ key, user }] : []));
    const allowed = reach === undefined ? fitting : await keepReached(fitting, reach);
    const matching = allowed.slice(0, filters.factor === '' ? limit + 1 : undefined);
    const details = await findDetails(matching.map(({ user }) => user));
    const found = matching.filter(
      ({ user }) => filters.factor === '' || details.factors.has(user.id) === (filters.factor === 'yes'),
    );
    const page = found.slice(0, limit);
    const isCut = few === undefined && candidates.length === most;
    const end = found.length > limit ? page.at(-1) : isCut ? candidates.at(-1) : undefined;
    return {
      users: page.map(({ user }) => complete(user, details)),
      nextCursor: end && cursorOf(end.key),
    };
  }

  return {
    /** @throws {Refusal} `unreadable-list` if the cursor holds a value that no column can hold */
    list: (query: ListQuery, reach?: Reach) =>
      findPage(query, reach).catch((error: unknown) => {
        throw isUnrepresentable(error) ? new Refusal(unreadableList) : error;
      }),

    /** Finds a user, with the time of the last login and the factors. */
    async find(id: string): Promise<FoundUser | undefined> {
      const found = (await users.listSome([id])).filter((user) => user.id === id);
      const details = await findDetails(found);
      return found.map((user) => complete(user, details))[0];
    },
  };
}

interface Details {
  readonly logins: ReadonlyMap<string, Date>;
  readonly factors: ReadonlyMap<string, ReadonlySet<string>>;
}

const complete = (user: ListedUser, { logins, factors }: Details): FoundUser => ({
  ...user,
  lastLoginAt: logins.get(user.id),
  factors: [...(factors.get(user.id) ?? [])],
});

/** Sorts the users that come after the cursor. */
function sortUsers(users: readonly ListedUser[], { sort, descending, after }: ListQuery): ListEntry[] {
  const isTime = sort === 'created_at';
  const compare = (one: readonly string[], other: readonly string[]) => {
    const [[value = '', id = ''], [otherValue = '', otherId = '']] = [one, other];
    const difference = isTime ? Number(value) - Number(otherValue) : compareTexts(value, otherValue);
    return (difference || compareTexts(id, otherId)) * (descending ? -1 : 1);
  };
  return users
    .map((user) => ({ user, key: [isTime ? String(user.createdAt?.getTime() ?? 0) : user.username, user.id] as const }))
    .filter(({ key }) => after === undefined || compare(key, after) > 0)
    .sort((one, other) => compare(one.key, other.key));
}

const compareTexts = (one: string, other: string) => (one < other ? -1 : Number(one > other));
