import type { Database } from '../../../database/database.ts';
import { sql } from '../../../database/kysely.ts';
import {
  type ColumnKinds,
  describeIndex,
  type IndexDescription,
  kindOf,
  type TableDescription,
} from './table-description.ts';

const kinds: ColumnKinds = [
  [/int$/i, 'integer'],
  [/char$|text$/i, 'text'],
  [/^enum$/i, 'enum'],
  [/^uuid$/i, 'uuid'],
  [/^date|^timestamp/i, 'time'],
];

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly declared: string;
  readonly collation: string | null;
  readonly generated: string | null;
}

export async function describeMysqlTable(
  database: Database,
  name: string,
  schema?: string,
): Promise<TableDescription | undefined> {
  const inSchema = schema === undefined ? sql`database()` : sql`${schema}`;
  const found = await sql<{ type: string; name: string; place: string }>`
    select table_type as type, table_name as name, table_schema as place from information_schema.tables
    where table_schema = ${inSchema} and table_name = ${name}`.execute(database);
  const [table] = found.rows;
  if (table === undefined) return undefined;
  const columns = await sql<ColumnRow>`
    select column_name as name, data_type as type, column_type as declared,
      collation_name as collation, generation_expression as generated
    from information_schema.columns where table_schema = ${table.place} and table_name = ${table.name}
    order by ordinal_position`.execute(database);
  return {
    isTable: table.type === 'BASE TABLE' || table.type === 'SYSTEM VERSIONED',
    columns: columns.rows.map(({ name: column, type, declared, collation, generated }) => ({
      name: column,
      type: declared,
      kind: kindOf(kinds, type),
      ignoresCase: /_ci$/i.test(collation ?? '') || /^l(?:ower|case)\(/i.test(generated ?? ''),
    })),
    indexes: await describeIndexes(database, table.place, table.name),
  };
}

/** MariaDB has no column `expression`, and would refuse a query that names it. */
interface StatisticsRow {
  readonly INDEX_NAME: string;
  readonly SEQ_IN_INDEX: number;
  readonly NON_UNIQUE: number;
  readonly COLUMN_NAME: string | null;
  readonly SUB_PART: number | null;
  readonly EXPRESSION?: string | null;
}

async function describeIndexes(database: Database, place: string, table: string): Promise<IndexDescription[]> {
  const { rows } = await sql<StatisticsRow>`
    select * from information_schema.statistics where table_schema = ${place} and table_name = ${table}`.execute(
    database,
  );
  return rows.flatMap((row): IndexDescription[] => {
    if (Number(row.SEQ_IN_INDEX) !== 1) return [];
    const columns = rows.filter(({ INDEX_NAME }) => INDEX_NAME === row.INDEX_NAME).length;
    const lowered = /^\(?l(?:ower|case)\(`(.+)`\)\)?$/i.exec(row.EXPRESSION ?? '')?.[1];
    return describeIndex(
      row.COLUMN_NAME,
      lowered,
      Number(row.NON_UNIQUE) === 0 && columns === 1 && row.SUB_PART === null,
    );
  });
}
