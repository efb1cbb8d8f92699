import { sql } from 'kysely';
import type { Database } from '../../ground/database/database.ts';
import { type Claims, joinClaims, requireClaims, requireWithinLimits, withinLimits } from './claim-rules.ts';
import type { Held } from './held.ts';
import { readNames } from './scopes.ts';
import type { User } from './user.ts';

/** Returns the new claims of a user or a group, given the present ones. */
export type ChangeClaims = (present: Claims) => Readonly<Record<string, unknown>>;

/** Most members whose own claims a change of their group is compared with. The claims of further ones are bounded when they are read. */
const mostCompared = 200;

const read = (stored: string | null | undefined): Claims => (stored ? JSON.parse(stored) : {});

const write = (claims: Claims): string | null => (Object.keys(claims).length === 0 ? null : JSON.stringify(claims));

export type StoredClaims = ReturnType<typeof createClaims>;

/** Reads the custom claims of users and groups. They are rows' own columns, so that they end with the user or the group. */
export function createClaims(database: Database) {
  return {
    /** Finds the claims that the user has, without those of groups. */
    findOwn: ({ id }: Pick<User, 'id'>, db = database): Promise<Claims> => findOwn(id, db),

    /** Finds the claims of all groups that have some. */
    findOfAllGroups: (db = database): Promise<ReadonlyMap<string, Claims>> => findOfGroups(undefined, db),

    /** Finds the claims that count for a user, with one statement: those of the user, and those of the user's groups. */
    async find({ id, groups }: Pick<User, 'id' | 'groups'>): Promise<Claims> {
      const ofUser = database
        .selectFrom('janua_users')
        .select([sql<string | null>`null`.as('name'), 'claims'])
        .where('id', '=', id);
      const rows = await (groups.length === 0 ? ofUser : ofUser.unionAll(selectOfGroups(groups, database))).execute();
      const own = read(rows.find(({ name }) => name === null)?.claims);
      return withinLimits(joinClaims(own, byGroup(rows)), own);
    },
  };
}

async function findOwn(id: string, db: Database): Promise<Claims> {
  return read((await db.selectFrom('janua_users').select('claims').where('id', '=', id).executeTakeFirst())?.claims);
}

/** @param names undefined: all groups */
async function findOfGroups(names: readonly string[] | undefined, db: Database): Promise<ReadonlyMap<string, Claims>> {
  return names?.length === 0 ? new Map() : byGroup(await selectOfGroups(names, db).execute());
}

function selectOfGroups(names: readonly string[] | undefined, db: Database) {
  const rows = db
    .selectFrom('janua_groups')
    .select([sql<string | null>`name`.as('name'), 'claims'])
    .where('claims', 'is not', null);
  return names === undefined ? rows : rows.where('name', 'in', names);
}

const byGroup = (rows: readonly { readonly name: string | null; readonly claims: string | null }[]) =>
  new Map(rows.flatMap(({ name, claims }) => (name === null ? [] : [[name, read(claims)] as const])));

/**
 * Changes the claims of a user. Must run in an `inGroupsTransaction`, because the claims of groups count for the limits.
 * @returns the names of the claims, and whether they have changed
 * @throws {ClaimFault}
 */
export async function changeOwnClaims({ user, db }: Held, change: ChangeClaims) {
  const present = await findOwn(user.id, db);
  const claims = requireClaims(change(present));
  requireWithinLimits(joinClaims(claims, await findOfGroups(user.groups, db)));
  const isChange = write(claims) !== write(present);
  if (isChange)
    await db
      .updateTable('janua_users')
      .set({ claims: write(claims) })
      .where('id', '=', user.id)
      .execute();
  return { names: Object.keys(claims), isChange };
}

/**
 * Changes the claims of a group. Must run in an `inGroupsTransaction`.
 * @returns whether they have changed
 * @throws {ClaimFault} also if a member would have too many
 */
export async function changeGroupClaims(name: string, db: Database, change: ChangeClaims): Promise<boolean> {
  const ofGroups = new Map(await findOfGroups(undefined, db));
  const present = ofGroups.get(name) ?? {};
  const claims = requireClaims(change(present));
  if (write(claims) === write(present)) return false;
  ofGroups.set(name, claims);
  const members = db.selectFrom('janua_memberships').select('user_id').where('group_name', '=', name);
  const alike = db.selectFrom('janua_users').select(['group_names', 'claims']).distinct().where('id', 'in', members);
  for (const { group_names, claims: own } of await alike.limit(mostCompared).execute()) {
    const groups = readNames(group_names).map((group) => [group, ofGroups.get(group) ?? {}] as const);
    requireWithinLimits(joinClaims(read(own), new Map(groups)));
  }
  await db
    .updateTable('janua_groups')
    .set({ claims: write(claims) })
    .where('name', '=', name)
    .execute();
  return true;
}
