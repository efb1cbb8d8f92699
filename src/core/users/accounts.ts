import type { RawBuilder } from 'kysely';
import type { Database, Engine, OpenDatabase } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { accountColumns, ownAccountColumns, type Row, sourceAccountColumns } from '../../ground/database/schema.ts';
import { type Account, joinedStamp } from './account.ts';
import type { AccountJoin } from './account-join.ts';
import { admins, type Rights, readNames, rightsOf } from './scopes.ts';
import type { Person, Source } from './source/source.ts';
import type { User } from './user.ts';
import type { ListedUser } from './user-directory.ts';

export interface AccountOptions {
  /** Whether the demo's users, whose passwords are public, may sign in. Otherwise they count as disabled. */
  readonly demoUsers: boolean;
  /** Canonical names that the setting `ADMINISTRATORS` lists. They count if `janua users add` or a mailed link created the account. */
  readonly administrators?: ReadonlySet<string>;
  /** A team's own table of users (`USERS_TABLE`), if there is one. Accounts without a row in it are then inactive. */
  readonly source?: Source | undefined;
}

type UsersRow = Row<'janua_users'>;
type StoredRow = Pick<UsersRow, (typeof accountColumns)[number]> & { readonly account_id: string };
type OwnRow = StoredRow & Pick<UsersRow, (typeof ownAccountColumns)[number]>;

/** A row of `janua_users`, joined with the row of the team's own table. */
interface JoinedRow extends StoredRow, Pick<UsersRow, (typeof sourceAccountColumns)[number]> {
  /** JSON: every group with its scopes, if a column of the team's table names groups. */
  readonly definitions?: string | null;
}

export type AccountRow = OwnRow | JoinedRow;

export type ListedRow = AccountRow & Pick<UsersRow, 'created_at'>;

export type Accounts = ReturnType<typeof createAccounts>;

/** Reads accounts: from `janua_users` alone, or together with the team's row in one statement. */
export function createAccounts({ database, engine, prepareLookup }: OpenDatabase, options: AccountOptions) {
  const { source } = options;
  // Only the necessary columns, because every request reads an account, and each column costs time.
  const names = [...accountColumns, ...(source === undefined ? ownAccountColumns : sourceAccountColumns)];
  const stored = sql.join(names.map((column) => sql.ref(`janua_users.${column}`)));
  const ofSource = source && sql`, ${source.columns}${source.hasGroups ? sql`, ${definitionsOn(engine)}` : sql``}`;
  const columns = sql`janua_users.id as account_id, ${stored}${ofSource ?? sql``}`;
  const joinSource = source?.join(sql.ref('janua_users.source_key')) ?? sql``;
  const select = sql<AccountRow>`select ${columns} from janua_users ${joinSource}`;
  const findRows = prepareLookup<AccountRow>(
    (id) => ({ compile: () => sql<AccountRow>`${select} where janua_users.id = ${id}`.compile(database) }),
    'account_id',
  );
  const read = (row: object): Account | undefined => toAccount(row as AccountRow, options);

  const join: AccountJoin = {
    columns,
    join: (userId) => sql`left join janua_users on janua_users.id = ${userId} ${joinSource}`,
    read,
  };

  return {
    join,
    columns,
    joinSource,
    read,

    async findById(id: string): Promise<Account | undefined> {
      const [row] = await findRows(id);
      return row && read(row);
    },

    async findAll(ids: readonly string[], db: Database = database): Promise<Map<string, Account>> {
      if (ids.length === 0) return new Map();
      const { rows } = await sql<AccountRow>`${select} where janua_users.id in (${sql.join(ids)})`.execute(db);
      return new Map(rows.flatMap((row) => read(row) ?? []).map((account) => [account.user.id, account]));
    },

    /** Reads an account in a transaction. */
    async findIn(db: Database, id: string): Promise<Account | undefined> {
      const { rows } = await sql<AccountRow>`${select} where janua_users.id = ${id}`.execute(db);
      // The database may compare ids less exactly than JavaScript, such as by ignoring spaces at the end.
      const row = rows.find(({ account_id }) => account_id === id);
      return row && read(row);
    },

    /** Returns undefined if the account is inactive. */
    toListed(row: ListedRow): ListedUser | undefined {
      const account = read(row);
      return (
        account && {
          ...account.user,
          disabled: isDemo(row) ? row.disabled === 1 : account.disabled,
          demo: isDemo(row),
          addressVerified: account.isAddressVerified ?? false,
          createdAt: toTime(row.created_at),
        }
      );
    },
  };
}

/** Selects all groups with their scopes as JSON, in the statement that reads an account. This saves every request a statement. */
function definitionsOn(engine: Engine): RawBuilder<unknown> {
  const [array, list] = {
    sqlite: [sql`json_array`, sql`json_group_array`],
    postgres: [sql`json_build_array`, sql`json_agg`],
    mysql: [sql`json_array`, sql`json_arrayagg`],
  }[engine] as [RawBuilder<unknown>, RawBuilder<unknown>];
  const all = sql`${list}(${array}(janua_groups.name, janua_groups.scopes))`;
  return sql`(select cast(${all} as ${engine === 'mysql' ? sql`char` : sql`text`}) from janua_groups) as definitions`;
}

/** Compares the verified address with the present one: another program may have changed the address, and the new one is not verified. */
export const isVerified = (row: Pick<StoredRow, 'verified_address' | 'address_proof' | 'username'>): boolean =>
  row.verified_address === null
    ? ['mail', 'changed'].includes(row.address_proof ?? '')
    : row.verified_address === row.username;

/**
 * Reads an account. Returns undefined if the account is inactive: it does not come from the configured table of users, or has no usable row
 * there. An account whose row has another name is inactive too, unless ids are permanent: the row may be another person's.
 */
function toAccount(row: AccountRow, options: AccountOptions): Account | undefined {
  if (!isOwn(row)) return options.source && accountOfSource(row, options.source);
  return row.login_name === null ? undefined : ownAccount(row, options);
}

const isOwn = (row: AccountRow): row is OwnRow => 'login_name' in row;
const isDemo = (row: AccountRow): boolean => isOwn(row) && row.demo === 1;

function ownAccount(row: OwnRow, { demoUsers, administrators }: AccountOptions): Account {
  const isReplaceable = row.demo !== 0 && !demoUsers;
  // An invited user has no password yet.
  const passwordHash = toText(row.password) || undefined;
  const isListed = administrators?.has(row.username) && ['mail', null].includes(row.address_proof);
  const rights = rightsOf(readNames(toText(row.group_names)), readNames(toText(row.scopes)), isListed);
  const names = { firstName: toText(row.first_name), lastName: toText(row.last_name) };
  return {
    user: toUser(row, { username: toText(row.username), ...names }, rights),
    scopes: rights.scopes,
    passwordHash,
    disabled: row.disabled !== 0 || isReplaceable,
    stamp: row.stamp ?? undefined,
    isAddressVerified: isVerified(row),
    isAddressVouched: isVerified(row) || row.address_proof !== 'none',
    ...(row.address_proof === 'mail' && passwordHash === undefined && { isInvitedByMail: true }),
    ...(isReplaceable && { isReplaceable }),
    ...(row.added_by !== null && { addedBy: row.added_by }),
  };
}

/**
 * Reads an account of a team's own table. The team's row decides the name, the password and whether the account is enabled. A row with
 * another name than the account belongs to another person, unless ids are permanent.
 */
function accountOfSource(row: JoinedRow, source: Source): Account | undefined {
  const person = source.read(row);
  if (person === undefined || person.key !== row.source_key) return undefined;
  const isRenamed = person.username !== row.username;
  if (isRenamed && !source.hasPermanentIds) return undefined;
  const { username, firstName, lastName, passwordHash, disabled } = person;
  const rights = rightsOfPerson(person, row);
  const user = { ...toUser(row, { username, firstName, lastName }, rights), sourceKey: person.key };
  const permanent = source.hasPermanentIds ? ({ hasPermanentId: true } as const) : {};
  return {
    user,
    scopes: rights.scopes,
    passwordHash,
    disabled,
    ...permanent,
    stamp: row.stamp === null ? undefined : joinedStamp(row.stamp, { user, passwordHash, ...permanent }),
    isAddressVerified: isVerified({ ...row, username }),
    isAddressVouched: true,
    ...(isRenamed && { formerName: row.username }),
    ...(row.disabled !== 0 && !disabled && { wasDisabled: true }),
    passwordPrint: row.password_print,
  };
}

function rightsOfPerson({ groups }: Person, row: JoinedRow): Rights {
  const kept = readNames(toText(row.group_names));
  if (groups === undefined) return rightsOf(kept, readNames(toText(row.scopes)));
  const names = [...kept.filter((name) => name === admins), ...groups].sort();
  const all: [group: string, scopes: string][] = names.length === 0 ? [] : JSON.parse(row.definitions ?? '[]');
  const granted = all.flatMap(([group, scopes]) => (names.includes(group) ? readNames(scopes) : []));
  return rightsOf(names, [...new Set(granted)].sort());
}

function toUser(
  { account_id: id, language, handle }: AccountRow,
  names: Pick<User, 'username' | 'firstName' | 'lastName'>,
  { groups }: Rights,
): User {
  return { id, ...names, groups, ...(language && { language }), ...(handle && { handle }) };
}

export function toTime(milliseconds: number | string | null): Date | undefined {
  if (milliseconds === null) return undefined;
  const time = new Date(Number(milliseconds));
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** Returns '' for a value that is no text. In SQLite, another program can store values of any type. */
export const toText = (value: unknown): string => (typeof value === 'string' ? value : '');
