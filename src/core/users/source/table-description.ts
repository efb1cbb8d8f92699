import type { Database, OpenDatabase } from '../../../ground/database/database.ts';
import { sql } from '../../../ground/database/kysely.ts';

/** Maps the type names of all engines to kinds of columns. The first pattern that fits counts. */
const kinds = [
  ['boolean', /bool/i],
  ['enum', /^enum/i],
  ['uuid', /^uuid/i],
  ['integer', /(?<!po)int(?:eger|[248])?\b/i],
  ['text', /char|text|clob/i],
] as const;

export type ColumnKind = (typeof kinds)[number][0] | 'other';

/** A column of the table, from the database's own catalogue. */
interface ColumnRow {
  readonly tabletype: string;
  /** The schema where PostgreSQL finds the table. With another search path, it may find another table of the same name. */
  readonly schema?: string;
  /** Whether row security policies of PostgreSQL choose the rows that Janua's account sees. */
  readonly hides?: boolean;
  /** The CREATE statement of the table, in SQLite. */
  readonly made?: string;
  readonly name: string;
  readonly type: string;
  /** The type without its length. */
  readonly base: string;
  /** True if `=` ignores case, or the column holds lower case only. */
  readonly ignorescase: boolean | number | null;
  /** The character set and the collation of a text. Only MariaDB and MySQL have them for each column. */
  readonly charset?: string | null;
  readonly collation?: string | null;
}

/** An index over the whole table, as far as it helps to find one row by one column. */
export interface IndexDescription {
  readonly column: string;
  readonly unique: boolean;
  /** `plain`: over the value as it is. `lower`: over `lower(…)` of it. `nocase`: with SQLite's NOCASE. */
  readonly form: 'plain' | 'lower' | 'nocase';
}

export type TableDescription = NonNullable<Awaited<ReturnType<typeof describeTable>>>;

export type ColumnDescription = TableDescription['columns'][number];

/** The `tabletype` of a table with child tables (PostgreSQL's `INHERITS`), or of one that joins others (MySQL's `ENGINE=MERGE`). */
const withChildren = 'with children';

/** Describes a table. Returns undefined if there is no table of that name. @param table its name, or SCHEMA.TABLE */
export async function describeTable({ database, engine }: OpenDatabase, table: string) {
  const [name = '', schema] = table.split('.').reverse();
  const { rows, tableTypes, indexes, reusedId } = await inspections[engine](database, name, schema);
  const [first] = rows;
  if (first === undefined) return undefined;
  return {
    isTable: tableTypes.includes(first.tabletype),
    /** Whether a search of the table also reads other tables, which its unique indexes do not cover. */
    hasChildren: first.tabletype === withChildren,
    schema: first.schema,
    /** The id column, if SQLite gives the id of the last row to the next one after a deletion. */
    reusedId,
    hidesRows: first.hides === true,
    columns: rows.map((row) => ({
      name: row.name,
      type: row.type,
      base: row.base,
      kind: kinds.find(([, pattern]) => pattern.test(row.base))?.[0] ?? ('other' as const),
      ignoresCase: Boolean(row.ignorescase),
      letters: row.charset && row.collation ? { charset: row.charset, collation: row.collation } : undefined,
    })),
    indexes,
  };
}

const inspections = { sqlite: inspectSqlite, postgres: inspectPostgres, mysql: inspectMysql };

/** Describes an index by its first part: a column, or the column in `lower(…)`. Any other index does not help. */
function describeIndex(column: string | null, lowered: string | undefined, unique: boolean): IndexDescription[] {
  if (column !== null) return [{ column, unique, form: 'plain' }];
  return lowered === undefined ? [] : [{ column: lowered, unique, form: 'lower' }];
}

interface SqliteIndex {
  readonly unique: number;
  readonly column: string | null;
  readonly collation: string;
  readonly columns: number;
  readonly definition: string | null;
}

/**
 * SQLite accepts any type name. The words in the name decide how SQLite treats the column. Each index has its own collation, so
 * `ignorescase` is 0.
 */
async function inspectSqlite(database: Database, name: string) {
  const { rows } = await sql<ColumnRow & { pk: number }>`
    select master.type as tabletype, master.sql as made, part.name, part.type, part.type as base, part.pk, 0 as ignorescase
    from sqlite_master as master join pragma_table_xinfo(master.name) as part
    where master.name = ${name} collate nocase and master.type in ('table', 'view')`.execute(database);
  const indexes = await sql<SqliteIndex>`
    select list."unique", part.name as "column", part.coll as collation, master.sql as definition,
      (select count(*) from pragma_index_xinfo(list.name) where key = 1) as columns
    from pragma_index_list(${name}) as list
    join pragma_index_xinfo(list.name) as part on part.seqno = 0 and part.key = 1
    left join sqlite_master as master on master.name = list.name
    where list.partial = 0`.execute(database);
  // An integer primary key is the row id, and has no index of its own.
  const keys = rows.filter(({ pk }) => pk > 0);
  const ownKey = keys.length === 1 ? keys.flatMap((key) => describeIndex(key.name, undefined, true)) : [];
  const [key] = keys;
  const isRowId =
    keys.length === 1 && /^integer$/i.test(key?.type ?? '') && !/\bautoincrement\b/i.test(key?.made ?? '');
  return {
    rows,
    tableTypes: ['table'],
    indexes: [...indexes.rows.flatMap(readSqliteIndex), ...ownKey],
    reusedId: isRowId ? key?.name : undefined,
  };
}

function readSqliteIndex({ unique, column, collation, columns, definition }: SqliteIndex): IndexDescription[] {
  const isUnique = unique === 1 && columns === 1;
  if (column !== null && collation.toLowerCase() === 'nocase') return [{ column, unique: isUnique, form: 'nocase' }];
  const lowered = /\(\s*lower\s*\(\s*["`[]?([^"`\]()]+?)["`\]]?\s*\)\s*\)\s*$/i.exec(definition ?? '')?.[1];
  return describeIndex(column, lowered, isUnique);
}

const quote = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`;

async function inspectPostgres(database: Database, name: string, schema: string | undefined) {
  const table = sql`to_regclass(${schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`})`;
  // If the extension citext is outside the search path, PostgreSQL does not find its `=`, and compares plain texts.
  const { rows } = await sql<ColumnRow>`
    select case when c.relkind = 'r' and exists (select 1 from pg_inherits where inhparent = c.oid)
        then ${withChildren} else c.relkind::text end as tabletype, n.nspname::text as schema,
      row_security_active(c.oid) as hides, a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type,
      case when t.typtype = 'e' then 'enum' when t.typcategory = 'A' then 'array' else coalesce(b.typname, t.typname)::text end as base,
      coalesce(b.typname, t.typname) = 'citext' and pg_type_is_visible(t.oid) as ignorescase
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
      left join pg_type b on b.oid = nullif(t.typbasetype, 0)
    where c.oid = ${table} and a.attnum > 0 and not a.attisdropped order by a.attnum`.execute(database);
  const indexes = await sql<{ column: string | null; unique: boolean; definition: string }>`
    select a.attname::text as column, i.indisunique and i.indnkeyatts = 1 as unique,
      pg_get_indexdef(i.indexrelid, 1, true) as definition
    from pg_index i left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = nullif(i.indkey[0], 0)
    where i.indrelid = ${table} and i.indisvalid and i.indpred is null`.execute(database);
  return {
    rows,
    // Ordinary and partitioned tables; neither views nor foreign tables, whose indexes are elsewhere.
    tableTypes: ['r', 'p'],
    indexes: indexes.rows.flatMap(({ column, unique, definition }) =>
      describeIndex(column, loweredColumn(definition), unique),
    ),
    reusedId: undefined,
  };
}

/** Finds the column of `lower(email::text)` or `lower("E-Mail")`. */
function loweredColumn(definition: string): string | undefined {
  const [, quoted, bare] = /^lower\(\(?(?:"((?:[^"]|"")+)"|(\w+))\)?(?:::text)?\)$/.exec(definition) ?? [];
  return quoted?.replaceAll('""', '"') ?? bare;
}

/** A row of `select *`. MariaDB has no column `EXPRESSION`, and would refuse a query that names it. */
interface StatisticsRow {
  readonly INDEX_NAME: string;
  readonly SEQ_IN_INDEX: number;
  readonly NON_UNIQUE: number;
  readonly COLUMN_NAME: string | null;
  readonly SUB_PART: number | null;
  readonly EXPRESSION?: string | null;
}

async function inspectMysql(database: Database, name: string, schema: string | undefined) {
  const isTable = sql`table_schema = ${schema ?? sql`database()`} and table_name = ${name}`;
  const { rows } = await sql<ColumnRow>`
    select case when engine = 'MRG_MyISAM' then ${withChildren} else table_type end as tabletype, column_name as name, column_type as type, data_type as base,
      collation_name rlike '_ci$' or generation_expression rlike '^l(ower|case)[(]' as ignorescase,
      character_set_name as charset, collation_name as collation
    from information_schema.columns join information_schema.tables using (table_schema, table_name)
    where ${isTable} order by ordinal_position`.execute(database);
  const statistics = await sql<StatisticsRow>`
    select * from information_schema.statistics where ${isTable}`.execute(database);
  const indexes = statistics.rows.flatMap((row) => {
    if (Number(row.SEQ_IN_INDEX) !== 1) return [];
    const parts = statistics.rows.filter(({ INDEX_NAME }) => INDEX_NAME === row.INDEX_NAME).length;
    const unique = Number(row.NON_UNIQUE) === 0 && parts === 1 && row.SUB_PART === null;
    const lowered = /^\(?l(?:ower|case)\(`(.+)`\)\)?$/i.exec(row.EXPRESSION ?? '')?.[1];
    return describeIndex(row.COLUMN_NAME, lowered, unique);
  });
  return { rows, tableTypes: ['BASE TABLE', 'SYSTEM VERSIONED'], indexes, reusedId: undefined };
}
