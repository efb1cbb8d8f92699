import type { RawBuilder } from 'kysely';
import type { Database, Engine, OpenDatabase } from '../../../ground/database/database.ts';
import { sql } from '../../../ground/database/kysely.ts';
import type { Log } from '../../../ground/faults/log.ts';
import { canonicalUsername, hasOneSpelling, type User } from '../user.ts';
import { isDisabled, readGroups, type UserMapping } from './mapping.ts';
import type { Fitness, NameMatch } from './requirements.ts';
import type { ColumnDescription, ColumnKind } from './table-description.ts';

/** The columns of a look-up in a team's table. Read as text, because a client library would round large numbers. NULL without a row. */
interface SourceRow {
  readonly source_id: string | null;
  readonly source_name: string | null;
  readonly source_password: string | null;
  readonly source_first_name?: string | null;
  readonly source_last_name?: string | null;
  readonly source_disabled?: string | null;
  readonly source_groups?: string | null;
  /** The name as the database converts it to lower case. NULL if a search for that form does not find the row. */
  readonly source_folded: string | null;
}

/** A row of a team's table, as it is now. */
export interface Person {
  /** The id in the team's table. */
  readonly key: string;
  /** The canonical name. */
  readonly username: string;
  readonly passwordHash: string | undefined;
  readonly firstName: string;
  readonly lastName: string;
  readonly disabled: boolean;
  /** Names from the column with groups. Undefined without such a column: Janua then stores the groups. */
  readonly groups: readonly string[] | undefined;
}

/** Longest id that an account can store, in characters. */
const longestKey = 255;

/** PostgreSQL's types of ids. The client library sends texts, and a cast makes PostgreSQL compare whole numbers as numbers. */
const idTypes: Partial<Record<ColumnKind, RawBuilder<unknown>>> = { integer: sql`bigint`, uuid: sql`uuid` };

/** Texts that PostgreSQL can cast to these types. */
const castable: Partial<Record<ColumnKind, { readonly pattern: RegExp; readonly inSql: RawBuilder<unknown> }>> = {
  integer: { pattern: /^-?[0-9]{1,19}$/, inSql: sql`'^-?[0-9]{1,19}$'` },
  uuid: { pattern: /^[0-9a-fA-F-]{36}$/, inSql: sql`'^[0-9a-fA-F-]{36}$'` },
};

const sampleSize = 200;

export type Source = ReturnType<typeof createSource>;

interface SourceOptions {
  /** Whether Janua may write the column of passwords. */
  readonly rehashes: boolean;
  /** Whether the team never gives an id to another person. */
  readonly hasPermanentIds: boolean;
  readonly log: Pick<Log, 'warn'>;
}

/** A team's own table of users. Janua reads its rows, and writes its column of passwords alone. */
export function createSource(
  { database, engine, prepareLookup }: OpenDatabase,
  mapping: UserMapping,
  {
    nameMatch,
    id: idColumn,
    disabledKind,
  }: Fitness & { readonly id: ColumnDescription; readonly nameMatch: NameMatch },
  { rehashes, hasPermanentIds, log }: SourceOptions,
) {
  const table = sql.table(mapping.table);
  const name = sql.ref(`${mapping.table}.${mapping.username}`);
  const id = sql.ref(`${mapping.table}.${mapping.id}`);
  // A column of SQLite may hold a blob. Converted to text, it could equal the id of another row, so it is read as NULL.
  const keyValue = engine === 'sqlite' ? sql`case when typeof(${id}) <> 'blob' then ${id} end` : id;
  const key = asText(engine, keyValue);
  const idType = engine === 'postgres' ? idTypes[idColumn.kind] : undefined;
  const idValue = (value: string) => (idType === undefined ? sql`${value}` : sql`cast(${value} as ${idType})`);
  const asId = asIdOf(engine, idColumn);

  /** Makes the condition by which the database finds a canonical name. */
  const isNamed = {
    equal: (value: string | RawBuilder<unknown>) => sql`${name} = ${value}`,
    nocase: (value: string | RawBuilder<unknown>) => sql`${name} = ${value} collate nocase`,
    lower: (value: string | RawBuilder<unknown>) => sql`lower(${name}) = ${value}`,
  }[nameMatch];
  const lower = sql`lower(${name})`;
  // A collation of MySQL that ignores case may still tell some capitals apart, such as that of cH in Czech. A name with one becomes NULL.
  const folded = engine === 'mysql' ? sql`case when ${isNamed(lower)} then ${lower} end` : lower;
  const columns = selectList(engine, mapping, { keyValue, disabledKind, folded });

  /** Checks whether a text can be an id, because PostgreSQL refuses a statement with an id that the column cannot hold. */
  const mayBeKey = (text: string) =>
    idType === undefined ||
    (castable[idColumn.kind]?.pattern.test(text) === true &&
      (idColumn.kind !== 'integer' || BigInt.asIntN(64, BigInt(text)) === BigInt(text)));

  /** Converts keys for a comparison with the id. In MySQL, the id may have had another type or collation when the keys were stored. */
  const valuesOf = (keys: readonly string[]) =>
    keys.filter(mayBeKey).map((key) => (engine === 'mysql' ? asId(sql`${key}`) : idValue(key)));

  /** Returns undefined if there is no usable row (`isUsable`). */
  function read(row: object): Person | undefined {
    const found = row as SourceRow;
    const username = canonicalUsername(found.source_name ?? '');
    if (!isUsable(found) || username === '') return undefined;
    return {
      key: found.source_id ?? '',
      username,
      passwordHash: found.source_password ?? undefined,
      firstName: found.source_first_name ?? '',
      lastName: found.source_last_name ?? '',
      disabled: mapping.disabled !== undefined && isDisabled(mapping.disabled, found.source_disabled ?? null),
      groups: mapping.groups === undefined ? undefined : readGroups(found.source_groups ?? ''),
    };
  }

  /**
   * Returns the row with a canonical name, if it is usable and the only one. Names are compared again, as a collation may ignore more than
   * case.
   */
  function chooseNamed<Row extends object>(rows: readonly Row[], username: string): Row | undefined {
    const found = rows.filter((row) => canonicalUsername((row as SourceRow).source_name ?? '') === username);
    const named = found.filter((row) => isUsable(row as SourceRow));
    if (named.length < found.length)
      log.warn(
        { event: 'user_id_unusable' },
        `an id is NULL, ends with a space, or is longer than ${longestKey} characters, or a name is stored with blanks around it, with ` +
          'decomposed or special letters, or with capitals that the database does not find in lower case: that user cannot sign in',
      );
    if (named.length > 1) log.warn({ event: 'user_name_twice' }, 'two users have the same name: neither can sign in');
    return named.length === 1 ? named[0] : undefined;
  }

  return {
    hasPermanentIds,
    /** Whether a column contains the groups. Janua then stores the members of `admins` only. */
    hasGroups: mapping.groups !== undefined,
    table,
    columns,
    /** The id as text. */
    key,
    /** Joins the row whose id is in a column of Janua's. No value of the column makes the statement fail. */
    join(storedKey: RawBuilder<unknown>) {
      // In SQLite, a unique index may distinguish ids that the column's own collation treats as equal.
      const isSame = engine === 'sqlite' ? sql` and ${key} = ${storedKey} collate binary` : sql``;
      return sql`left join ${table} on ${id} = ${asId(storedKey)}${isSame}`;
    },
    read,

    /** Prepares a look-up of rows by a canonical name. @param select the columns and the tables. The first table is `source.table` */
    prepareByName<Row extends object>(select: RawBuilder<Row>) {
      const findRows = prepareLookup<Row>((value) => ({
        compile: () => sql<Row>`${select} where ${isNamed(value)}`.compile(database),
      }));
      return async (username: string): Promise<Row | undefined> => {
        const found = await findRows(username);
        return chooseNamed(found, username);
      };
    },

    /** Returns those of the keys that the table has, with or without a usable name. */
    async findKeys(keys: readonly string[], db: Database = database): Promise<ReadonlySet<string>> {
      const values = valuesOf(keys);
      if (values.length === 0) return new Set();
      const found = sql<{
        key: string;
      }>`select ${key} as ${sql.ref('key')} from ${table} where ${id} in (${sql.join(values)})`;
      return new Set((await found.execute(db)).rows.map((row) => row.key));
    },

    /** Returns the usable rows of these keys, by key. */
    async findAll(keys: readonly string[], db: Database = database): Promise<Map<string, Person>> {
      const values = valuesOf(keys);
      if (values.length === 0) return new Map();
      const { rows } =
        await sql<SourceRow>`select ${columns} from ${table} where ${id} in (${sql.join(values)})`.execute(db);
      return new Map(rows.flatMap((row) => read(row) ?? []).map((person) => [person.key, person]));
    },

    /** Reads a page of all rows in the order of keys. @param after the key of the last row of the previous page */
    async readPage(after: string | undefined, limit: number) {
      const from = after === undefined ? sql`${id} is not null` : sql`${id} > ${idValue(after)}`;
      const { rows } = await sql<SourceRow>`
        select ${columns} from ${table} where ${from} order by ${id} limit ${sql.lit(limit)}`.execute(database);
      return {
        people: rows.flatMap((row) => read(row) ?? []),
        last: rows.length < limit ? undefined : rows.at(-1)?.source_id,
      };
    },

    /**
     * Replaces a hash. Returns false if the row has a different hash by now, or belongs to another person. Undefined where Janua may not
     * write passwords.
     */
    replaceHash: rehashes
      ? async ({ sourceKey = '', username }: User, before: string, after: string, db: Database): Promise<boolean> => {
          const password = sql.ref(mapping.password);
          const isTheirs = hasPermanentIds ? sql`1 = 1` : isNamed(username);
          // In SQLite, a unique index may distinguish ids that the column's own collation treats as equal.
          const isSame = engine === 'sqlite' ? sql`${key} = ${sourceKey} collate binary` : sql`1 = 1`;
          const { numAffectedRows = 0n } = await sql`update ${table} set ${password} = ${after}
            where ${sql.ref(mapping.id)} = ${idValue(sourceKey)} and ${isTheirs} and ${isSame} and coalesce(${password}, '') = ${before}`.execute(
            db,
          );
          return numAffectedRows > 0n;
        }
      : undefined,

    /** Counts the rows, up to `limit`. */
    async count(limit: number): Promise<number> {
      const { rows } = await sql<{ count: number | string }>`
        select count(*) as count from (select 1 as one from ${table} limit ${sql.lit(limit)}) counted`.execute(
        database,
      );
      return Number(rows[0]?.count);
    },

    /** @throws {Unavailable} if the table cannot be read */
    async check(): Promise<void> {
      await sql`select ${columns} from ${table} where 1 = 0`.execute(database);
    },
  };
}

/**
 * Checks whether Janua can tell the row from all others. An id must not end with a space, because Janua's columns in MySQL and MariaDB
 * ignore spaces there. An id must not contain U+FFFD, which replaces all bytes that are not UTF-8. The database must find the name by its
 * canonical form, because another row may have that form as its name. It does not find a capital É in SQLite, nor cH in a Czech collation
 * of MariaDB.
 */
const isUsable = ({ source_id: key, source_name: name, source_folded: folded }: SourceRow) =>
  key !== null &&
  key !== '' &&
  key.length <= longestKey &&
  !key.endsWith(' ') &&
  !key.includes('\ufffd') &&
  hasOneSpelling(name ?? '') &&
  folded === canonicalUsername(name ?? '');

const asText = (engine: Engine, value: RawBuilder<unknown>) =>
  sql`cast(${value} as ${engine === 'mysql' ? sql`char` : sql`text`})`;

/**
 * Converts a text column of Janua's to the type of the id. Without this, the database compares as another type, and reads the whole table.
 * A text that the type cannot hold becomes NULL, or an id of no user.
 */
function asIdOf(engine: Engine, { kind, base, type, letters, ignoresCase }: ColumnDescription) {
  const [idType, shape] = [idTypes[kind], castable[kind]];
  return (text: RawBuilder<unknown>): RawBuilder<unknown> => {
    if (engine === 'sqlite') return text;
    if (engine === 'postgres') {
      if (idType !== undefined && shape !== undefined)
        return sql`case when ${text} ~ ${shape.inSql} then cast(${text} as ${idType}) end`;
      // If the extension citext is outside the search path, PostgreSQL does not find its `=`, and compares plain texts.
      return base === 'citext' && ignoresCase ? sql`cast(${text} as citext)` : text;
    }
    if (letters !== undefined)
      return sql`convert(${text} using ${sql.id(letters.charset)}) collate ${sql.id(letters.collation)}`;
    if (kind === 'uuid') return sql`cast(${text} as uuid)`;
    return sql`cast(${text} as ${/unsigned/i.test(type) ? sql`unsigned` : sql`signed`})`;
  };
}

function selectList(
  engine: Engine,
  { table, username, password, firstName, lastName, disabled, groups }: UserMapping,
  {
    keyValue,
    disabledKind,
    folded,
  }: {
    readonly keyValue: RawBuilder<unknown>;
    readonly disabledKind: ColumnKind | undefined;
    readonly folded: RawBuilder<unknown>;
  },
): RawBuilder<unknown> {
  const own = (column: string) => sql.ref(`${table}.${column}`);
  const isBoolean = engine === 'postgres' && disabledKind === 'boolean';
  const values: { readonly [Column in keyof SourceRow]-?: RawBuilder<unknown> | undefined } = {
    source_id: keyValue,
    source_name: own(username),
    source_password: own(password),
    source_first_name: firstName === undefined ? undefined : own(firstName),
    source_last_name: lastName === undefined ? undefined : own(lastName),
    source_disabled: disabled && (isBoolean ? sql`${own(disabled.column)}::integer` : own(disabled.column)),
    source_groups: groups === undefined ? undefined : own(groups),
    source_folded: folded,
  };
  const named = Object.entries(values).filter((entry) => entry[1] !== undefined) as [string, RawBuilder<unknown>][];
  return sql.join(named.map(([column, value]) => sql`${asText(engine, value)} as ${sql.ref(column)}`));
}

/** Reads some stored hashes, from both ends of the table. */
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
