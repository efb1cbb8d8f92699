import type { Database } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { insertAll, insertNew } from '../../ground/database/insert-new.ts';
import { sql } from '../../ground/database/kysely.ts';
import { inTransactionOn, type Locking } from '../../ground/database/transaction.ts';
import { ChangeRefused } from './change-refused.ts';
import { type ChangeClaims, changeGroupClaims } from './claims.ts';
import { countChange } from './directory.ts';
import type { Held } from './held.ts';
import { limitRows } from './row-limits.ts';
import {
  admins,
  basic,
  groupPattern,
  machines,
  ownScopes,
  type RequireRights,
  type Rights,
  readNames,
  rightsOf,
} from './scopes.ts';
import type { User } from './user.ts';
import { mostCounted } from './user-directory.ts';

export interface Group {
  readonly name: string;
  readonly description: string;
  /** The scopes that the group grants. `admins` also grants Janua's own scopes. */
  readonly scopes: readonly string[];
  /** The name of the file of `janua apply` that added the group. Undefined for one that was added otherwise. */
  readonly appliedBy?: string | undefined;
}

export interface StoredGroup extends Group {
  /** Whether its users need a second factor to sign in. */
  readonly secondFactor: boolean;
}

export interface ListedGroup extends StoredGroup {
  /** Undefined if there are more than `mostCounted`. */
  readonly members: number | undefined;
}

/** A user, and the groups that the user is put into. */
export interface Member extends Pick<User, 'id' | 'username'> {
  readonly names: readonly string[];
}

export type Groups = ReturnType<typeof createGroups>;

export interface GroupOptions {
  /** Scopes of applications that groups may grant, besides Janua's own. */
  readonly applicationScopes: readonly string[];
  /** Whether a column of a team's own table contains the groups. Janua then stores the members of `admins` only. */
  readonly inColumn: boolean;
  readonly requireOther: RequireOtherAdministrator;
}

/**
 * The stored groups of a user after a change, and whether they differ from before. `ADMINISTRATORS` adds users to `admins` without storing
 * that.
 */
export interface ChosenGroups {
  readonly names: readonly string[];
  readonly areNew: boolean;
}

/** Records a change in its transaction. Not called if nothing has changed. @param change how many members the change concerns */
type RecordIn = (db: Database, change?: { readonly count: number }) => Promise<void>;

const recordNothing: RecordIn = async () => {};

/**
 * Checks that the user may lose the role of administrator: another administrator can sign in.
 * @param db the transaction of an `inGroupsTransaction`
 * @throws {ChangeRefused} `last-administrator`
 */
export type RequireOtherAdministrator = (userId: string, db: Database) => Promise<void>;

/**
 * Runs a transaction that changes groups or administrators. Its first step locks all groups, so such transactions wait for each other. The
 * lock is a change to a row, because the nodes of a database cluster see no other lock.
 * @param locking further rows that the transaction locks
 */
export const inGroupsTransaction = <Result>(
  database: Database,
  work: (db: Database) => Promise<Result>,
  { rows, parties }: Locking = { rows: [] },
): Promise<Result> =>
  inTransactionOn(database, { rows: ['groups', ...rows], parties }, async (db) => {
    await db.updateTable('janua_groups').set(countChange).where('name', '=', admins).execute();
    return work(db);
  });

/** Groups whose members one statement counts. SQLite allows at most 500 selects in one `union all`. */
const countedAtOnce = 100;

const idOf = (group: string, userId: string) => `${group} ${userId}`;

/**
 * Stores groups and their members. A membership repeats the name of its user, so that lists of members can be sorted by it. The row of an
 * account repeats its groups and scopes, so that a look-up of an account reads no other table. Methods throw `ChangeRefused` when a change
 * cannot be made.
 */
export function createGroups(database: Database, options: GroupOptions) {
  const { applicationScopes, inColumn, requireOther } = options;
  const knownScopes: readonly string[] = [...Object.keys(ownScopes), ...applicationScopes];

  const change = <Made>(work: (db: Database) => Promise<Made>) => inGroupsTransaction(database, work);

  /** Finds the stored groups of a user. The setting `ADMINISTRATORS` adds users to `admins` without storing that. */
  async function namesOf({ id }: Pick<User, 'id'>, db = database): Promise<string[]> {
    const rows = db.selectFrom('janua_memberships').select('group_name').where('user_id', '=', id);
    return (await rows.execute()).map((row) => row.group_name);
  }

  async function readAll(db: Database): Promise<Map<string, StoredGroup>> {
    const rows = await db
      .selectFrom('janua_groups')
      .select(['name', 'description', 'scopes', 'second_factor', 'applied_by'])
      .orderBy('name')
      .execute();
    return new Map(
      rows.map(({ name, description, scopes, second_factor, applied_by }) => [
        name,
        {
          name,
          description,
          scopes: readNames(scopes),
          secondFactor: second_factor === 1,
          appliedBy: applied_by ?? undefined,
        },
      ]),
    );
  }

  /** Returns the rights of a user in these groups. A group that a team's own table names, but Janua does not have, grants no scopes. */
  function rightsIn(names: readonly string[], groups: ReadonlyMap<string, Group>): Rights {
    const held = [...new Set(names)];
    return rightsOf(held, [...new Set(held.flatMap((name) => groups.get(name)?.scopes ?? []))]);
  }

  /** Returns the columns of `janua_users` that repeat groups and scopes, without groups that were removed. */
  function columnsOf(names: readonly string[], groups: ReadonlyMap<string, Group>) {
    const held = names.filter((name) => groups.has(name)).sort();
    const scopes = new Set(held.flatMap((name) => groups.get(name)?.scopes ?? []));
    return { group_names: held.join(' ') || null, scopes: [...scopes].sort().join(' ') || null };
  }

  /**
   * Updates the rows of the members after a change to a group, and returns how many there are. Updates by id: `group_names` has no index,
   * so a condition on it would read every user.
   */
  async function rewriteMembers(name: string, db: Database): Promise<{ readonly count: number }> {
    const groups = await readAll(db);
    const members = db.selectFrom('janua_memberships').select('user_id').where('group_name', '=', name);
    const rows = db.selectFrom('janua_users').where('id', 'in', members);
    const alike = await rows.select(['group_names', 'scopes']).distinct().execute();
    for (const { group_names: names, scopes } of alike) {
      const columns = columnsOf(readNames(names), groups);
      if (columns.group_names === names && columns.scopes === scopes) continue;
      await db
        .updateTable('janua_users')
        .set(columns)
        .where('id', 'in', members)
        .where('group_names', names === null ? 'is' : '=', names)
        .execute();
    }
    const counted = await members.clearSelect().select(sql<number | string>`count(*)`.as('count')).executeTakeFirst();
    return { count: Number(counted?.count) };
  }

  async function countMembers(names: readonly string[]): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    const limit = mostCounted + 1;
    for (let first = 0; first < names.length; first += countedAtOnce) {
      const each = names.slice(first, first + countedAtOnce).map(
        (name) => sql`select ${name} as name, count(*) as members from
          (select 1 as one from janua_memberships where group_name = ${name} limit ${sql.lit(limit)}) counted`,
      );
      const all = sql<{ name: string; members: number | string }>`${sql.join(each, sql` union all `)}`;
      for (const { name, members } of (await all.execute(database)).rows)
        if (Number(members) <= mostCounted) counts.set(name, Number(members));
    }
    return counts;
  }

  /** Stores memberships of users who have none, and returns how many of the users exist. */
  async function addMembers(members: readonly Member[], db: Database): Promise<bigint> {
    const groups = await readAll(db);
    const unknown = members.flatMap(({ names }) => names).find((name) => !groups.has(name));
    if (unknown !== undefined) throw noSuchGroup(unknown);
    const rows = members.flatMap(({ id, username, names }) =>
      names.map((name) => ({ id: idOf(name, id), group_name: name, user_id: id, username })),
    );
    await insertAll(db, 'janua_memberships', rows);
    let found = 0n;
    for (const same of Map.groupBy(members, ({ names }) => names.join(' ')).values()) {
      const columns = columnsOf(same[0]?.names ?? [], groups);
      const ids = same.map(({ id }) => id);
      const users = db.updateTable('janua_users').set(columns).where('id', 'in', ids);
      found += (await users.executeTakeFirst()).numUpdatedRows;
    }
    return found;
  }

  /** Changes a group in columns that the rows of its members don't repeat. */
  const changeOne = (
    name: string,
    columns: { readonly description?: string; readonly second_factor?: number },
    isAlready: (group: StoredGroup) => boolean,
    requireRights: RequireRights,
    recordIn: RecordIn,
  ): Promise<void> =>
    change(async (db) => {
      const groups = await readAll(db);
      requireRights(rightsIn([name], groups));
      const group = groups.get(name);
      if (group === undefined) throw noSuchGroup(name);
      if (isAlready(group)) return;
      await db.updateTable('janua_groups').set(columns).where('name', '=', name).execute();
      await recordIn(db);
    });

  /** @param kept scopes that may stay, although the setting `SCOPES` no longer lists them */
  function requireScopes(scopes: readonly string[], kept: readonly string[] = []): string {
    const unknown = scopes.find((scope) => !knownScopes.includes(scope) && !kept.includes(scope));
    if (unknown === undefined) return [...new Set(scopes)].sort().join(' ');
    throw new ChangeRefused(
      `There is no scope ${unknown}. SCOPES names those of your applications. Janua's own are ${Object.keys(ownScopes).join(', ')}.`,
    );
  }

  const noSuchGroup = (name: string) => new ChangeRefused(`There is no group ${name}.`, 'no-such-group');

  return {
    knownScopes,

    addMembers,

    /** Returns the rights of a user in these groups. @throws {ChangeRefused} `no-such-group` */
    async rightsIn(names: readonly string[]): Promise<Rights> {
      const groups = await readAll(database);
      for (const name of names) if (!groups.has(name)) throw noSuchGroup(name);
      return rightsIn(names, groups);
    },

    /** Lists the names alone, because counting the users of each group takes time. */
    names: async (): Promise<string[]> => [...(await readAll(database)).keys()],

    /** Lists the groups without the numbers of their users. */
    findAll: async (): Promise<StoredGroup[]> => [...(await readAll(database)).values()],

    /**
     * Lists a page of groups by name, and counts the members of these groups only.
     * @param after the name of the last group of the previous page @param isSeen leaves out groups, before the page is cut
     */
    async list(
      limit = Number.POSITIVE_INFINITY,
      after = '',
      isSeen: (group: Group) => boolean = () => true,
    ): Promise<ListedGroup[]> {
      const further = [...(await readAll(database)).values()].filter((group) => group.name > after && isSeen(group));
      // Sorted here, because not every database orders texts as the comparison in the filter does.
      const groups = further.sort((one, other) => (one.name < other.name ? -1 : 1)).slice(0, limit);
      const members = await countMembers(groups.map(({ name }) => name));
      return groups.map((group) => ({ ...group, members: members.get(group.name) }));
    },

    async add({ name, description, scopes, appliedBy }: Group, recordIn = recordNothing): Promise<void> {
      if (!groupPattern.test(name))
        throw new ChangeRefused('The name of a group has at most 63 small letters, digits and hyphens.');
      if (name === machines) throw new ChangeRefused(`FORWARD_AUTH_RULES means programs by ${machines}.`);
      if (name === basic) throw new ChangeRefused(`FORWARD_AUTH_RULES means tokens for one host by ${basic}.`);
      const row = { name, description, scopes: requireScopes(scopes), applied_by: appliedBy };
      await change(async (db) => {
        if (!(await insertNew(db.insertInto('janua_groups').values(row))))
          throw new ChangeRefused(`There is a group ${name} already.`);
        await limitRows(db, 'janua_groups', undefined, 0);
        await recordIn(db);
      });
    },

    setDescription: (
      name: string,
      description: string,
      requireRights: RequireRights = () => {},
      recordIn = recordNothing,
    ): Promise<void> =>
      changeOne(name, { description }, (group) => group.description === description, requireRights, recordIn),

    setScopes: (
      name: string,
      scopes: readonly string[],
      requireRights: RequireRights = () => {},
      recordIn = recordNothing,
    ): Promise<void> =>
      change(async (db) => {
        const groups = await readAll(db);
        requireRights(rightsIn([name], groups), { groups: [name], scopes });
        const group = groups.get(name);
        const chosen = requireScopes(scopes, group?.scopes);
        if (group === undefined) throw noSuchGroup(name);
        if (chosen === group.scopes.join(' ')) return;
        await db.updateTable('janua_groups').set({ scopes: chosen }).where('name', '=', name).execute();
        await recordIn(db, await rewriteMembers(name, db));
      }),

    setSecondFactor: (
      name: string,
      demanded: boolean,
      requireRights: RequireRights = () => {},
      recordIn = recordNothing,
    ): Promise<void> =>
      changeOne(
        name,
        { second_factor: Number(demanded) },
        (group) => group.secondFactor === demanded,
        requireRights,
        recordIn,
      ),

    setClaims: (
      name: string,
      changeClaims: ChangeClaims,
      requireRights: RequireRights = () => {},
      recordIn = recordNothing,
    ): Promise<void> =>
      change(async (db) => {
        const groups = await readAll(db);
        requireRights(rightsIn([name], groups));
        if (!groups.has(name)) throw noSuchGroup(name);
        if (await changeGroupClaims(name, db, changeClaims)) await recordIn(db);
      }),

    /** Checks whether one of these groups demands a second factor. */
    async demandsFactor(names: readonly string[], db = database): Promise<boolean> {
      if (names.length === 0) return false;
      const demanding = db.selectFrom('janua_groups').select('name').where('second_factor', '=', 1);
      return (await demanding.where('name', 'in', names).executeTakeFirst()) !== undefined;
    },

    remove: (name: string, requireRights: RequireRights = () => {}, recordIn = recordNothing): Promise<void> =>
      change(async (db) => {
        const groups = await readAll(db);
        requireRights(rightsIn([name], groups));
        if (name === admins) throw new ChangeRefused('The group admins is built in.');
        // Otherwise an administrator without a factor could remove the group, and add it again without the demand. Only an administrator
        // with a factor may lift the demand.
        if (groups.get(name)?.secondFactor)
          throw new ChangeRefused(
            `The group demands a second factor. Lift that first: ./bin/janua groups second-factor ${name} --off`,
            'group-demands-factor',
          );
        if ((await countDeleted(db.deleteFrom('janua_groups').where('name', '=', name))) === 0) throw noSuchGroup(name);
        const change = await rewriteMembers(name, db);
        await db.deleteFrom('janua_memberships').where('group_name', '=', name).execute();
        await recordIn(db, change);
      }),

    namesOf,

    /**
     * Changes the groups of a user. Must run in an `inGroupsTransaction`.
     * @param choose returns the new groups, given those that the user is in. `rightsIn` returns the rights that groups grant. An error of
     * `choose` rolls back the transaction
     */
    async setGroupsOf(
      { user, db }: Held,
      choose: (present: readonly string[], rightsIn: (names: readonly string[]) => Rights) => readonly string[],
    ): Promise<ChosenGroups> {
      const { id: userId, username } = user;
      const stored = await namesOf(user, db);
      // Janua may have stored groups before the operator configured a column for them. Such groups no longer count.
      const present = inColumn ? stored.filter((name) => name === admins) : stored;
      const groups = await readAll(db);
      const names = [...new Set(choose(present, (chosen) => rightsIn(chosen, groups)))].sort();
      if (inColumn && names.some((name) => name !== admins))
        throw new ChangeRefused(
          'The groups are in a column of your table (USERS_COLUMNS). Only admins is kept by Janua.',
        );
      if (names.join(' ') === present.toSorted().join(' ')) return { names, areNew: false };
      if (present.includes(admins) && !names.includes(admins)) await requireOther(userId, db);
      await db.deleteFrom('janua_memberships').where('user_id', '=', userId).execute();
      await addMembers([{ id: userId, username, names }], db);
      return { names, areNew: true };
    },
  };
}
