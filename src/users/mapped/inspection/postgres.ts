import { sql } from '../../../database/kysely.ts';
import { type ColumnRow, describeColumns, describeIndex, type Inspect } from './table-description.ts';

const kinds = [
  [/^enum$/, 'enum'],
  [/^int[248]$/, 'integer'],
  [/^(?:text|varchar|bpchar|citext)$/, 'text'],
  [/^uuid$/, 'uuid'],
  [/^bool$/, 'boolean'],
  [/^(?:date|timestamp|timestamptz)$/, 'time'],
] as const;

const quote = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`;

export const inspectPostgres: Inspect = async (database, name, schema) => {
  const table = sql`to_regclass(${schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`})`;
  const columns = await sql<ColumnRow & { visible: boolean }>`
    select c.relkind::text as tabletype, a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type,
      case t.typtype when 'e' then 'enum' else coalesce(b.typname, t.typname)::text end as base,
      pg_type_is_visible(t.oid) as visible
    from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
      left join pg_type b on b.oid = nullif(t.typbasetype, 0)
    where c.oid = ${table} and a.attnum > 0 and not a.attisdropped order by a.attnum`.execute(database);
  const [first] = columns.rows;
  if (first === undefined) return undefined;
  const indexes = await sql<{ column: string | null; unique: boolean; definition: string }>`
    select a.attname::text as column, i.indisunique and i.indnkeyatts = 1 as unique,
      pg_get_indexdef(i.indexrelid, 1, true) as definition
    from pg_index i left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = nullif(i.indkey[0], 0)
    where i.indrelid = ${table} and i.indisvalid and i.indpred is null`.execute(database);
  return {
    // Ordinary and partitioned tables; neither views nor foreign tables, whose indexes are elsewhere.
    isTable: first.tabletype === 'r' || first.tabletype === 'p',
    // Outside the search path, PostgreSQL does not find citext's `=` either, and compares plain texts.
    columns: describeColumns(columns.rows, kinds, ({ base, visible }) => base === 'citext' && visible),
    indexes: indexes.rows.flatMap(({ column, unique, definition }) =>
      describeIndex(column, loweredColumn(definition), unique),
    ),
  };
};

/** The column of `lower(email::text)` or `lower("E-Mail")`. */
function loweredColumn(definition: string): string | undefined {
  const [, quoted, bare] = /^lower\(\(?(?:"((?:[^"]|"")+)"|(\w+))\)?(?:::text)?\)$/.exec(definition) ?? [];
  return quoted?.replaceAll('""', '"') ?? bare;
}
