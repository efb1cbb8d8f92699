import { randomBytes, randomUUID } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { Database, OpenDatabase } from '../../ground/database/database.ts';
import { insertAll, insertNew } from '../../ground/database/insert-new.ts';
import { sql } from '../../ground/database/kysely.ts';
import { listPages } from '../../ground/database/list-pages.ts';
import { accountColumns, type UsersTable } from '../../ground/database/schema.ts';
import { tablesAboutUsers } from '../../ground/database/tables.ts';
import { type Account, passwordFingerprint, type Verification } from './account.ts';
import { lastAdministrator } from './change-refused.ts';
import { admins, type Rights, readNames, rightsOf } from './scopes.ts';
import { createSearch, inOrder } from './search.ts';
import { type Searchable, searchable, type User, wordsOf } from './user.ts';
import type { ListedUser, NewUser, UserRegistry } from './user-directory.ts';

export const usersPerPage = 1000;

export interface DirectoryOptions {
  /** Whether the demo's users, whose passwords are public, may sign in. Otherwise they count as disabled. */
  readonly demoUsers: boolean;
  /** Canonical names of users whom a setting makes administrators, if their address is proved. */
  readonly administrators?: ReadonlySet<string>;
}

export function createSqlDirectory({ database, prepareLookup }: OpenDatabase, options: DirectoryOptions): UserRegistry {
  const { demoUsers } = options;
  const account = database.selectFrom('janua_users').select(['id', ...accountColumns]);
  const findRowById = prepareLookup((id) => account.where('id', '=', id), 'id');
  const findRowByUsername = prepareLookup((username) => account.where('username', '=', username), 'username');
  const update = (id: string, db: Database = database) => db.updateTable('janua_users').where('id', '=', id);

  const toListed = (row: ListedRow): ListedUser => ({
    ...toUser(row.id, row, rightsOfRow(row, options)),
    disabled: row.disabled === 1,
    demo: row.demo === 1,
    addressVerified: isVerified(row),
    createdAt: toTime(row.created_at),
  });

  async function listSome(ids: readonly string[]): Promise<ListedUser[]> {
    if (ids.length === 0) return [];
    return (await account.select('created_at').where('id', 'in', ids).execute()).map(toListed);
  }

  const { findByPrefix, walkWords, searched } = createSearch(database, {
    fields: searchable.map((name, kind) => ({
      name,
      table: sql`janua_search`,
      where: sql`kind = ${sql.lit(kind)}`,
      value: sql`word`,
      id: sql`user_id`,
    })),
    listSome,
  });

  /** The ids of users whom a setting may make administrators. */
  async function findListed(): Promise<string[]> {
    const names = [...(options.administrators ?? [])];
    if (names.length === 0) return [];
    return (await database.selectFrom('janua_users').select('id').where('username', 'in', names).execute()).map(
      ({ id }) => id,
    );
  }

  /** @param isByAddress whether the user loses only what `ADMINISTRATORS` gives to the address */
  async function requireOther(userId: string, db: Database, isByAddress = false): Promise<void> {
    const enabled = db.selectFrom('janua_users').select('janua_users.id').where('disabled', '=', 0).limit(2);
    // An invited user who has not chosen a password yet cannot sign in.
    const other = (['janua_passkeys', 'janua_identities'] as const).map((table) =>
      db.selectFrom(table).select('user_id'),
    );
    const able = enabled.where((eb) =>
      eb.or([eb('password_hash', '!=', ''), ...other.map((ids) => eb('janua_users.id', 'in', ids))]),
    );
    const real = demoUsers ? able : able.where('demo', '=', 0);
    const members = real.innerJoin('janua_memberships', 'user_id', 'janua_users.id').where('group_name', '=', admins);
    const listed = real
      .where('janua_users.username', 'in', [...(options.administrators ?? [])])
      .where(sql`coalesce(address_proof, 'mail')`, '=', 'mail');
    const inGroup = await members.execute();
    if (isByAddress && inGroup.some(({ id }) => id === userId)) return;
    const rows = [...inGroup, ...(options.administrators?.size ? await listed.execute() : [])];
    const ids = new Set(rows.map(({ id }) => id));
    if (ids.has(userId) && ids.size === 1) throw lastAdministrator();
  }

  function listRows() {
    const page = account.select('created_at').orderBy('username').limit(usersPerPage);
    return listPages(
      (after) => page.where('username', '>', after).execute(),
      ({ username }) => username,
    );
  }

  async function addAll(users: readonly NewUser[], db: Database): Promise<string[]> {
    const rows = users.map(toRow);
    const names = rows.map(({ username }) => username);
    if (!demoUsers) await db.deleteFrom('janua_users').where('username', 'in', names).where('demo', '=', 1).execute();
    await insertAll(db, 'janua_users', rows);
    await insertAll(
      db,
      'janua_search',
      users.flatMap((user, index) => searchRows(rows[index]?.id ?? '', user)),
    );
    return rows.map(({ id }) => id);
  }

  const columns = sql.join(accountColumns.map((column) => sql.ref(`janua_users.${column}`)));

  return {
    accounts: {
      columns: () => sql`janua_users.id as account_id, ${columns}`,
      join: (userId) => sql`left join janua_users on janua_users.id = ${userId}`,
      read: (row) => toAccount((row as JoinedRow).account_id, row as JoinedRow, options),
    },

    async findByUsername(username) {
      const [row] = await findRowByUsername(username);
      return row && toAccount(row.id, row, options);
    },

    async findById(id) {
      const [row] = await findRowById(id);
      return row && toAccount(id, row, options);
    },

    async findAll(ids) {
      const rows = ids.length === 0 ? [] : await account.where('id', 'in', ids).execute();
      return new Map(rows.map((row) => [row.id, toAccount(row.id, row, options)]));
    },

    async check() {
      await account.where('id', '=', '').execute();
    },

    async replacePasswordHash(account, replacement) {
      await update(account.user.id)
        .set({ password_hash: replacement, stamp: keptStamp(account) })
        .where('password_hash', '=', account.passwordHash ?? '')
        .execute();
    },

    async add(user, db = database) {
      let id: string | undefined;
      const isNew = await insertNew({
        async execute() {
          [id] = await addAll([user], db);
        },
      });
      return isNew ? id : undefined;
    },

    addAll,

    async findTaken(usernames, db) {
      const rows = db.selectFrom('janua_users').select('username').where('username', 'in', usernames);
      const taken = demoUsers ? rows : rows.where('demo', '=', 0);
      return new Set((await taken.execute()).map(({ username }) => username));
    },

    async lock(id, db) {
      const { numUpdatedRows } = await update(id, db).set(countChange).executeTakeFirst();
      if (numUpdatedRows === 0n) return undefined;
      const own = db
        .selectFrom('janua_users')
        .select(['id', ...accountColumns])
        .where('id', '=', id);
      const row = await own.executeTakeFirst();
      return row?.id === id ? toAccount(id, row, options) : undefined;
    },

    // No id is given to another person.
    findSince: async () => 0,

    async setName({ user: { id }, db }, { firstName, lastName }) {
      await update(id, db).set({ first_name: firstName, last_name: lastName }).execute();
      await indexWords(id, { firstName, lastName }, db);
    },

    async renewStamp({ user: { id }, db }) {
      await update(id, db).set({ stamp: createStamp() }).execute();
    },

    requireOtherByAddress: (userId, db = database) => requireOther(userId, db, true),

    async setUsername({ account, user: { id }, db }, username, verification = { how: 'mail' }) {
      await requireOther(id, db, true);
      await db.updateTable('janua_memberships').set({ username }).where('user_id', '=', id).execute();
      await indexWords(id, { username }, db);
      const changed = { username, stamp: keptStamp(account), address_proof: 'changed' };
      return insertNew(update(id, db).set({ ...changed, ...verifiedColumns(username, verification) }));
    },

    async verifyAddress({ user: { id }, db }, address, verification) {
      await update(id, db).set(verifiedColumns(address, verification)).where('username', '=', address).execute();
    },

    async findDetails(id) {
      const row = await account
        .select(['created_at', 'password_changed_at', 'verified_how', 'verified_by', 'verified_at'])
        .where('id', '=', id)
        .executeTakeFirst();
      const how = (row?.verified_how ?? 'mail') as Verification['how'];
      return {
        createdAt: toTime(row?.created_at ?? null),
        passwordChangedAt: toTime(row?.password_changed_at ?? null),
        verification:
          row && isVerified(row) ? { how, by: row.verified_by ?? undefined, at: toTime(row.verified_at) } : undefined,
      };
    },

    async *list() {
      for await (const row of listRows()) yield toListed(row);
    },

    async *listWithHashes() {
      for await (const row of listRows()) yield { ...toListed(row), passwordHash: toText(row.password_hash) };
    },

    async count(limit) {
      const some = database.selectFrom('janua_users').select('id').limit(limit);
      const all = database.selectFrom(some.as('some')).select(({ fn }) => fn.countAll().as('count'));
      return Number((await all.executeTakeFirstOrThrow()).count);
    },

    async walk({ sort, state = '', ...part }) {
      const listed = sql.join(['id', 'created_at', ...accountColumns].map((column) => sql.ref(column)));
      const where = state === '' ? sql`1 = 1` : state === 'disabled' ? sql`disabled = 1` : sql`disabled = 0`;
      const end = inOrder(sql.ref(sort), sort === 'username' ? undefined : sql.ref('id'), part, { where });
      const { rows } = await sql<ListedRow>`select ${listed} from janua_users ${end}`.execute(database);
      return rows.map((row) => ({
        key: [String(row[sort as 'username' | 'created_at']), row.id],
        user: toListed(row),
      }));
    },

    async findIds(by, value, limit) {
      if (by === 'prefix') return findByPrefix(value, limit);
      const found =
        by === 'group'
          ? sql`user_id as id from janua_memberships where group_name = ${value}`
          : sql`id from janua_users where disabled = 1`;
      const { rows } = await sql<{ id: string }>`select ${found} limit ${sql.lit(limit)}`.execute(database);
      return [...rows.map(({ id }) => id), ...(by === 'group' && value === admins ? await findListed() : [])];
    },

    listSome,
    walkWords,
    searched,

    async setPassword({ user, db }, passwordHash) {
      const changed = { password_hash: passwordHash, demo: 0, password_changed_at: Date.now() };
      await update(user.id, db).set(changed).execute();
      return true;
    },

    async setDisabled({ user: { id }, db }, disabled) {
      if (disabled) await requireOther(id, db);
      await update(id, db)
        .set({ disabled: disabled ? 1 : 0 })
        .execute();
    },

    async setLanguage(id, language, db) {
      await update(id, db).set({ language }).execute();
    },

    async remove({ user: { id }, db }) {
      await requireOther(id, db);
      for (const table of tablesAboutUsers) await db.deleteFrom(table).where('user_id', '=', id).execute();
      await db.deleteFrom('janua_users').where('id', '=', id).execute();
    },

    requireOtherAdministrator: requireOther,
  };
}

const toRow = ({ username, firstName, lastName, passwordHash, demo, disabled, language, ...user }: NewUser) => ({
  id: randomUUID(),
  username,
  password_hash: passwordHash,
  first_name: firstName,
  last_name: lastName,
  demo: demo ? 1 : 0,
  disabled: disabled ? 1 : 0,
  created_at: Date.now(),
  stamp: createStamp(),
  language: language ?? null,
  address_proof: user.addressProof ?? null,
  ...(user.verification === undefined ? { verified_address: '' } : verifiedColumns(username, user.verification)),
});

const verifiedColumns = (address: string, { how, by }: Verification) => ({
  verified_address: address,
  verified_how: how,
  verified_by: by ?? null,
  verified_at: Date.now(),
});

/** Compares the addresses, because another program may change the address. The new one is not verified. */
const isVerified = (row: AccountRow): boolean =>
  row.verified_address === null
    ? ['mail', 'changed'].includes(row.address_proof ?? '')
    : row.verified_address === row.username;

/** Updates the words by which searches find a user. A search that runs meanwhile may miss the user. */
async function indexWords(id: string, changed: Partial<Pick<User, Searchable>>, db: Database): Promise<void> {
  const rows = searchRows(id, changed);
  const ids = rows.map((row) => row.id);
  await db.deleteFrom('janua_search').where('id', 'in', ids).execute();
  await db.insertInto('janua_search').values(rows).execute();
}

function searchRows(id: string, changed: Partial<Pick<User, Searchable>>) {
  const words = wordsOf(changed);
  const rows = searchable.map((name, kind) => ({ id: `${id} ${kind}`, kind, word: words[name], user_id: id }));
  return rows.flatMap(({ word, ...row }) => (word === undefined ? [] : [{ ...row, word }]));
}

type AccountRow = Pick<Selectable<UsersTable>, (typeof accountColumns)[number]>;

type JoinedRow = AccountRow & { readonly account_id: string };

type ListedRow = AccountRow & Pick<Selectable<UsersTable>, 'id' | 'created_at'>;

function toAccount(id: string, row: AccountRow, options: DirectoryOptions): Account {
  const isReplaceable = row.demo !== 0 && !options.demoUsers;
  const disabled = row.disabled !== 0 || isReplaceable;
  // An invited user has none yet.
  const passwordHash = toText(row.password_hash) || undefined;
  const rights = rightsOfRow(row, options);
  return {
    user: toUser(id, row, rights),
    scopes: rights.scopes,
    passwordHash,
    disabled,
    stamp: row.stamp ?? undefined,
    isAddressVerified: isVerified(row),
    isAddressVouched: isVerified(row) || row.address_proof !== 'none',
    ...(row.address_proof === 'mail' && passwordHash === undefined && { isInvitedByMail: true }),
    ...(isReplaceable && { isReplaceable }),
  };
}

/** 128 random bits, base64url. */
export const createStamp = () => randomBytes(16).toString('base64url');

/** Changes a row of an account, which locks it. */
export const countChange = { changes: sql<number>`changes + 1` };

/** Without a stamp, sessions carry a fingerprint of name and stored hash. It becomes the stamp before either changes, so sessions stay. */
const keptStamp = (account: Account) => sql<string>`coalesce(stamp, ${passwordFingerprint(account)})`;

function toTime(milliseconds: number | string | null): Date | undefined {
  if (milliseconds === null) return undefined;
  const time = new Date(Number(milliseconds));
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function rightsOfRow(row: AccountRow, { administrators }: DirectoryOptions): Rights {
  const isListed = administrators?.has(row.username) && ['mail', null].includes(row.address_proof);
  return rightsOf(readNames(toText(row.group_names)), readNames(toText(row.scopes)), isListed);
}

function toUser(id: string, { username, first_name, last_name, language }: AccountRow, { groups }: Rights): User {
  const names = { username: toText(username), firstName: toText(first_name), lastName: toText(last_name) };
  return { id, ...names, groups, ...(language && { language }) };
}

/** SQLite keeps values of any type that another program has stored. */
const toText = (value: unknown): string => (typeof value === 'string' ? value : '');
