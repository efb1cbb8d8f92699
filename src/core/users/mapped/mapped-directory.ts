import type { RawBuilder } from 'kysely';
import type { Database, Engine, OpenDatabase } from '../../../ground/database/database.ts';
import { isUnrepresentable } from '../../../ground/database/errors.ts';
import { sql } from '../../../ground/database/kysely.ts';
import { listPages } from '../../../ground/database/list-pages.ts';
import type { Log } from '../../../ground/faults/log.ts';
import { type Fault, Misconfiguration } from '../../../ground/faults/misconfiguration.ts';
import { type Account, joinedStamp } from '../account.ts';
import { lastAdministrator } from '../change-refused.ts';
import { admins, readNames, rightsOf } from '../scopes.ts';
import { createSearch, inOrder } from '../search.ts';
import { createStamp, usersPerPage } from '../sql-directory.ts';
import { canonicalUsername, searchable } from '../user.ts';
import type { ListedUser, SearchableDirectory } from '../user-directory.ts';
import { isDisabled, readGroups, type UserMapping } from './mapping.ts';
import { createPeople } from './people.ts';
import { type Fitness, judgeTable, type NameMatch, quoteName } from './requirements.ts';
import { type ColumnDescription, type ColumnKind, describeTable } from './table-description.ts';

interface Row {
  /** SQLite allows NULL in some keys. */
  readonly account_id: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly first_name: string | null;
  readonly last_name: string | null;
  readonly disabled: string | null;
  readonly groups: string | null;
  /** JSON: the names of groups, and every group with its scopes. NULL if there are none. */
  readonly memberships: string | null;
  readonly definitions: string | null;
  /** JSON: the name under which Janua has seen the id, the stamp, and since when. NULL if there is none. */
  readonly person: string | null;
}

interface MappedOptions {
  readonly rehashes: boolean;
  readonly log: Pick<Log, 'warn'>;
}

const scanMilliseconds = 60_000;

/** Longest user id that a session can store, in characters. */
const longestId = 255;

/** PostgreSQL's types of ids. The client sends texts. The cast compares whole numbers as numbers. */
const idTypes: Partial<Record<ColumnKind, RawBuilder<unknown>>> = { integer: sql`bigint`, uuid: sql`uuid` };

/** What PostgreSQL can cast to these types. */
const castable: Partial<Record<ColumnKind, { readonly pattern: RegExp; readonly inSql: RawBuilder<unknown> }>> = {
  integer: { pattern: /^-?[0-9]{1,19}$/, inSql: sql`'^-?[0-9]{1,19}$'` },
  uuid: { pattern: /^[0-9a-fA-F-]{36}$/, inSql: sql`'^[0-9a-fA-F-]{36}$'` },
};

/**
 * A text column of ours as a value of the id's own type. Otherwise the database compares another type, and reads the whole table. NULL or
 * an id of no user for a text that the type does not have.
 */
function asIdOf(engine: Engine, { kind, base, type, letters, ignoresCase }: ColumnDescription) {
  const [idType, shape] = [idTypes[kind], castable[kind]];
  return (text: RawBuilder<unknown>): RawBuilder<unknown> => {
    if (engine === 'sqlite') return text;
    if (engine === 'postgres') {
      if (idType !== undefined && shape !== undefined)
        return sql`case when ${text} ~ ${shape.inSql} then cast(${text} as ${idType}) end`;
      // Outside the search path, citext is compared as a plain text.
      return base === 'citext' && ignoresCase ? sql`cast(${text} as citext)` : text;
    }
    if (letters !== undefined)
      return sql`convert(${text} using ${sql.id(letters.charset)}) collate ${sql.id(letters.collation)}`;
    if (kind === 'uuid') return sql`cast(${text} as uuid)`;
    return sql`cast(${text} as ${/unsigned/i.test(type) ? sql`unsigned` : sql`signed`})`;
  };
}

const sampleSize = 200;

/**
 * Users in a table of a team's own. Checks the table first.
 * @returns the directory, and the faults that do not keep the table from working
 * @throws {Misconfiguration} with everything that keeps the table from working, and the fixes
 */
export async function openMappedDirectory(opened: OpenDatabase, mapping: UserMapping, options: MappedOptions) {
  const { table } = mapping;
  const description = await describeTable(opened, table);
  if (description === undefined)
    throw new Misconfiguration(`USERS_TABLE: there is no table ${table} in the database of DATABASE_URL.`);
  if (!description.isTable) {
    const fix = 'Name the table behind it, which has the indexes.';
    throw new Misconfiguration({ message: `USERS_TABLE: ${table} is a view.`, fix });
  }
  const fitness = judgeTable(mapping, description, opened.engine, options.rehashes);
  const { id } = fitness;
  if (id === undefined || fitness.faults.length > 0) throw new Misconfiguration(...fitness.faults);
  const warnings = [...fitness.warnings];
  await opened.withTimeout(scanMilliseconds, async () => {
    if (!fitness.namesAreUnique) await requireUniqueNames(opened, mapping);
    warnings.push(...(await findMissing(opened, mapping)));
  });
  return { directory: createMappedDirectory(opened, mapping, { ...fitness, id }, options), warnings };
}

/** @throws {Misconfiguration} when two names differ only in case. Chance would decide which of the two users signs in */
async function requireUniqueNames({ database, engine }: OpenDatabase, { table, username }: UserMapping): Promise<void> {
  const folded = sql`lower(${sql.ref(username)})`;
  const { rows } = await sql`
    select ${folded} from ${sql.table(table)} group by ${folded} having count(*) > 1 limit 1`.execute(database);
  if (rows.length === 0) return;
  const shown = `lower(${quoteName(username, engine)})`;
  const query = `SELECT ${shown}, count(*) FROM ${quoteName(table, engine)} GROUP BY ${shown} HAVING count(*) > 1;`;
  throw new Misconfiguration({
    message: `USERS_COLUMNS: some names in ${username} differ only in case.`,
    fix: `Find them, and keep one of each: ${query}`,
  });
}

/** Warns of rows that lack what a login needs. Their users cannot sign in; all others can. */
async function findMissing({ database }: OpenDatabase, mapping: UserMapping): Promise<Required<Fault>[]> {
  const missing: Required<Fault>[] = [];
  for (const column of [mapping.username, mapping.password]) {
    const { rows } = await sql`
      select 1 from ${sql.table(mapping.table)} where ${sql.ref(column)} is null limit 1`.execute(database);
    if (rows.length > 0)
      missing.push({
        message: `USERS_COLUMNS: ${column} is NULL in some rows. Those users cannot sign in.`,
        fix: `Fill in ${column} where a user should sign in.`,
      });
  }
  return missing;
}

function createMappedDirectory(
  { database, engine, prepareLookup }: OpenDatabase,
  mapping: UserMapping,
  { nameMatch, id: idColumn, disabledKind, searches, letters }: Fitness & { readonly id: ColumnDescription },
  { log, rehashes }: MappedOptions,
): SearchableDirectory {
  const table = sql.table(mapping.table);
  const name = sql.ref(mapping.username);
  const id = sql.ref(mapping.id);
  const columnsFor = (userId: RawBuilder<unknown>) => selectList(engine, mapping, disabledKind, userId);
  const qualifiedId = sql.ref(`${mapping.table}.${mapping.id}`);
  const columns = columnsFor(asText(engine, qualifiedId));
  const asId = asIdOf(engine, idColumn);
  const idType = engine === 'postgres' ? idTypes[idColumn.kind] : undefined;
  const idValue = (value: string) => (idType === undefined ? sql`${value}` : sql`cast(${value} as ${idType})`);

  const select = (condition: RawBuilder<unknown>) => sql<Row>`select ${columns} from ${table} where ${condition}`;
  const lookUp = (condition: (value: string) => RawBuilder<unknown>, column?: keyof Row) =>
    prepareLookup<Row>((value) => ({ compile: () => select(condition(value)).compile(database) }), column);
  const findById = lookUp((value) => sql`${id} = ${idValue(value)}`, 'account_id');
  const findEqual = lookUp((value) => sql`${name} = ${value}`);
  const findFolded = lookUp((value) =>
    nameMatch === 'nocase' ? sql`${name} = ${value} collate nocase` : sql`lower(${name}) = ${value}`,
  );

  async function findRowsByName(username: string): Promise<readonly Row[]> {
    const rows = nameMatch.startsWith('equal') ? await findEqual(username) : [];
    return rows.length > 0 || nameMatch === 'equal' ? rows : findFolded(username);
  }

  const people = createPeople(engine);

  async function replaceHash({ user, passwordHash = '' }: Account, replacement: string, db: Database = database) {
    const password = sql.ref(mapping.password);
    const { numAffectedRows = 0n } = await sql`update ${table} set ${password} = ${replacement}
      where ${id} = ${idValue(user.id)} and coalesce(${password}, '') = ${passwordHash}`.execute(db);
    return numAffectedRows > 0n;
  }

  /** What an index of this form orders by. */
  function ordered(column: string, form: NameMatch): RawBuilder<unknown> {
    if (form === 'lower') return sql`lower(${sql.ref(column)})`;
    return form === 'nocase' ? sql`${sql.ref(column)} collate nocase` : sql.ref(column);
  }

  function toListed(row: Row): ListedUser {
    const { user, disabled } = toAccount(row, mapping);
    return { ...user, disabled, demo: false, addressVerified: false, createdAt: undefined };
  }

  /** PostgreSQL refuses a statement with an id that the column cannot hold. */
  const mayBeId = (text: string) =>
    idType === undefined ||
    (castable[idColumn.kind]?.pattern.test(text) === true &&
      (idColumn.kind !== 'integer' || BigInt.asIntN(64, BigInt(text)) === BigInt(text)));

  /** In a transaction, which ends without a change if the column cannot hold the id. */
  const findIn = async (db: Database, value: string): Promise<readonly Row[]> => {
    try {
      return (await select(sql`${id} = ${idValue(value)}`).execute(db)).rows;
    } catch (error) {
      if (isUnrepresentable(error)) return [];
      throw error;
    }
  };

  async function findRows(ids: readonly string[], db: Database = database): Promise<Row[]> {
    const values = ids.filter(mayBeId).map(idValue);
    return values.length === 0 ? [] : (await select(sql`${id} in (${sql.join(values)})`).execute(db)).rows;
  }
  const listSome = async (ids: readonly string[]) => (await findRows(ids)).map(toListed);

  const { findByPrefix, walkWords, searched } = createSearch(database, {
    fields: searchable.flatMap((name) => {
      const [column, form, known] = [mapping[name], searches[name], letters[name]];
      if (column === undefined || form === undefined) return [];
      const value = ordered(column, form);
      return [{ name, table, value, id, ...(known && { beginsWith: beginsWithIn(known, value) }) }];
    }),
    listSome,
    asText: (value) => asText(engine, value),
    toId: idValue,
  });

  return {
    accounts: {
      columns: columnsFor,
      join: (userId) => sql`left join ${table} on ${qualifiedId} = ${asId(userId)}`,
      read: (row) => toAccount(row as Row, mapping),
    },

    async findByUsername(username) {
      // A collation may ignore more than case. Only our own rule counts.
      const rows = (await findRowsByName(username)).filter((row) => canonicalUsername(row.username ?? '') === username);
      if (!rows.every(hasUsableId))
        log.warn(
          { event: 'user_id_unusable' },
          `an id is NULL, ends with a space, or is longer than ${longestId} characters: that user cannot sign in`,
        );
      if (rows.length > 1) log.warn({ event: 'user_name_twice' }, 'two users have the same name: neither can sign in');
      const [row] = rows;
      return row !== undefined && rows.length === 1 && hasUsableId(row) ? toAccount(row, mapping) : undefined;
    },

    async findById(value) {
      const [row] = await findById(value);
      return row && toAccount(row, mapping);
    },

    async findAll(ids) {
      return new Map((await findRows(ids)).map((row) => [row.account_id ?? '', toAccount(row, mapping)]));
    },

    async check() {
      await select(sql`1 = 0`).execute(database);
    },

    async replacePasswordHash(account, replacement) {
      await replaceHash(account, replacement);
    },

    lock(value, db, since) {
      async function read() {
        const rows = await findIn(db, value);
        // A comparison of the database may be less exact, such as one that ignores case.
        const row = rows.find((one) => one.account_id === value);
        return row && toAccount(row, mapping);
      }
      return people.lock(value, db, read, since);
    },

    findSince: (value) => people.findSince(value, database),

    async requireOtherAdministrator(userId, db) {
      const members = db.selectFrom('janua_memberships').select('user_id').where('group_name', '=', admins);
      const rows = await members.where('user_id', '!=', userId).execute();
      const ids = rows.map((row) => row.user_id);
      // A membership is void if its user is gone, or a newcomer under the id.
      const others = (await findRows(ids, db)).map((row) => toAccount(row, mapping));
      if (!others.some(({ user, disabled }) => !disabled && !user.isNewcomer)) throw lastAdministrator();
    },

    renewStamp: ({ user, db }) => people.renewStamp(user.id, createStamp(), db),

    ...(rehashes && {
      setPassword: ({ account, db }, passwordHash) => replaceHash(account, passwordHash, db),
    }),

    async *list() {
      const readPage = async (after: string) => {
        const page = select(sql`${name} > ${after} order by ${name} limit ${sql.lit(usersPerPage)}`);
        return (await page.execute(database)).rows;
      };
      const rows = listPages(readPage, ({ username }) => username ?? '');
      for await (const row of rows) yield toListed(row);
    },

    async count(limit) {
      const { rows } = await sql<{ count: number | string }>`
        select count(*) as count from (select 1 as one from ${table} limit ${sql.lit(limit)}) counted`.execute(
        database,
      );
      return Number(rows[0]?.count);
    },

    async walk(part) {
      const value = ordered(mapping.username, nameMatch);
      const page = sql<Row & { value: string }>`
        select ${columns}, ${asText(engine, value)} as value from ${table} ${inOrder(value, undefined, part)}`;
      const { rows } = await page.execute(database);
      return rows.map((row) => ({ key: [row.value, ''], user: hasUsableId(row) ? toListed(row) : undefined }));
    },

    async findIds(by, value, limit) {
      if (by === 'prefix') return findByPrefix(value, limit);
      if (by === 'disabled' || (mapping.groups !== undefined && value !== admins)) return undefined;
      const members = database.selectFrom('janua_memberships').select('user_id').where('group_name', '=', value);
      return (await members.limit(limit).execute()).map((row) => row.user_id);
    },

    listSome,
    walkWords,
    searched,
  };
}

/** Our columns compare texts without the spaces at their end, in MySQL and MariaDB. */
const hasUsableId = ({ account_id: id }: Row) => id !== null && id.length <= longestId && !id.endsWith(' ');

const asText = (engine: Engine, value: RawBuilder<unknown>) =>
  sql`cast(${value} as ${engine === 'mysql' ? sql`char` : sql`text`})`;

/**
 * Whether a value begins with a prefix, in the column's own character set. MariaDB and MySQL refuse to compare a column with a
 * letter that it cannot hold. Converted, that letter becomes a question mark.
 */
const beginsWithIn =
  ({ charset, collation }: NonNullable<ColumnDescription['letters']>, value: RawBuilder<unknown>) =>
  (prefix: string) => {
    const pattern = `${prefix.replaceAll(/[|%_]/g, '|$&')}%`;
    return sql`${value} like convert(${pattern} using ${sql.id(charset)}) collate ${sql.id(collation)} escape '|'`;
  };

/** Makes an array of a few values, as JSON. */
const arrayOf: Readonly<Record<Engine, (...values: readonly RawBuilder<unknown>[]) => RawBuilder<unknown>>> = {
  sqlite: (...values) => sql`json_array(${sql.join(values)})`,
  postgres: (...values) => sql`json_build_array(${sql.join(values)})`,
  mysql: (...values) => sql`json_array(${sql.join(values)})`,
};

/** Makes a list from the rows of a group, as JSON. */
const listOf: Readonly<Record<Engine, (value: RawBuilder<unknown>) => RawBuilder<unknown>>> = {
  sqlite: (value) => sql`json_group_array(${value})`,
  postgres: (value) => sql`json_agg(${value})`,
  mysql: (value) => sql`json_arrayagg(${value})`,
};

/**
 * Each column as text: a client library would round a large number, and SQLite returns values of any type.
 * @param userId the id, as a text
 */
function selectList(
  engine: Engine,
  { table, id, username, password, firstName, lastName, disabled, groups }: UserMapping,
  disabledKind: ColumnKind | undefined,
  userId: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const own = (column: string) => sql.ref(`${table}.${column}`);
  const text = (column: string | undefined) => (column === undefined ? sql`null` : asText(engine, own(column)));
  // In one statement, because each request reads them.
  const names = asText(engine, listOf[engine](sql.ref('janua_memberships.group_name')));
  const memberships = sql`(select ${names} from janua_memberships where janua_memberships.user_id = ${userId})`;
  const seen = ['username', 'stamp', 'since'].map((column) => sql.ref(`janua_people.${column}`));
  const person = sql`(select ${asText(engine, arrayOf[engine](...seen))} from janua_people where janua_people.user_id = ${userId})`;
  const group = arrayOf[engine](sql.ref('janua_groups.name'), sql.ref('janua_groups.scopes'));
  const definitions = sql`(select ${asText(engine, listOf[engine](group))} from janua_groups)`;
  const isBoolean = disabled !== undefined && engine === 'postgres' && disabledKind === 'boolean';
  return sql`${text(id)} as account_id, ${text(username)} as username, ${text(password)} as password,
    ${text(firstName)} as first_name, ${text(lastName)} as last_name,
    ${isBoolean ? asText(engine, sql`${own(disabled.column)}::integer`) : text(disabled?.column)} as disabled,
    ${text(groups)} as ${sql.ref('groups')}, ${memberships} as memberships, ${definitions} as definitions,
    ${person} as person`;
}

function toAccount(row: Row, { disabled, groups: column }: UserMapping): Account {
  const username = canonicalUsername(row.username ?? '');
  const [seenName = '', stamp, since = 0]: [name?: string, stamp?: string | null, since?: number | string] = JSON.parse(
    row.person ?? '[]',
  );
  // A row without a name has no user, and an empty name in the row of the id tells none.
  const isNewcomer = username === '' || seenName !== username;
  const kept: string[] = isNewcomer ? [] : JSON.parse(row.memberships ?? '[]');
  const own = kept.filter((group) => column === undefined || group === admins);
  const names = [...own, ...(column === undefined ? [] : readGroups(row.groups ?? ''))];
  const granted = names.length === 0 ? [] : namesOfScopes(names, row.definitions);
  const { groups, scopes } = rightsOf(names.sort(), granted);
  const user = {
    groups,
    id: row.account_id ?? '',
    username,
    firstName: row.first_name ?? '',
    lastName: row.last_name ?? '',
    isNewcomer,
  };
  const passwordHash = row.password ?? undefined;
  return {
    scopes,
    user,
    passwordHash,
    disabled: disabled !== undefined && isDisabled(disabled, row.disabled),
    stamp: isNewcomer || !stamp ? undefined : joinedStamp(stamp, { user, passwordHash }),
    since: Number(since),
    replacesUser: isNewcomer && seenName !== '',
    isAddressVouched: true,
  };
}

function namesOfScopes(groups: readonly string[], definitions: string | null): string[] {
  const all: [group: string, scopes: string][] = JSON.parse(definitions ?? '[]');
  return [...new Set(all.flatMap(([group, scopes]) => (groups.includes(group) ? readNames(scopes) : [])))].sort();
}

export async function samplePasswordHashes(
  { database, engine }: OpenDatabase,
  { table, id, password }: UserMapping,
): Promise<string[]> {
  const from = (direction: RawBuilder<unknown>) =>
    sql<{ id: string; password: string | null }>`
      select ${asText(engine, sql.ref(id))} as id, ${asText(engine, sql.ref(password))} as password from ${sql.table(table)}
      order by ${sql.ref(id)} ${direction} limit ${sql.lit(sampleSize)}`.execute(database);
  const rows = [...(await from(sql`asc`)).rows, ...(await from(sql`desc`)).rows];
  const passwords = new Map(rows.map((row) => [row.id, row.password]));
  return [...passwords.values()].filter((hash) => hash !== null);
}
