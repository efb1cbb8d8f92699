import { sql } from '../../../database/kysely.ts';
import { type ColumnRow, describeColumns, describeIndex, type Inspect } from './table-description.ts';

const kinds = [
  [/int$/i, 'integer'],
  [/char$|text$/i, 'text'],
  [/^enum$/i, 'enum'],
  [/^uuid$/i, 'uuid'],
  [/^date|^timestamp/i, 'time'],
] as const;

/** MariaDB has no column `expression`, and would refuse a query that names it. */
interface StatisticsRow {
  readonly INDEX_NAME: string;
  readonly SEQ_IN_INDEX: number;
  readonly NON_UNIQUE: number;
  readonly COLUMN_NAME: string | null;
  readonly SUB_PART: number | null;
  readonly EXPRESSION?: string | null;
}

export const inspectMysql: Inspect = async (database, name, schema) => {
  const isTable = sql`table_schema = ${schema ?? sql`database()`} and table_name = ${name}`;
  const columns = await sql<ColumnRow & { collation: string | null; generated: string | null }>`
    select table_type as tabletype, column_name as name, column_type as type, data_type as base,
      collation_name as collation, generation_expression as generated
    from information_schema.columns join information_schema.tables using (table_schema, table_name)
    where ${isTable} order by ordinal_position`.execute(database);
  const [first] = columns.rows;
  if (first === undefined) return undefined;
  const { rows } = await sql<StatisticsRow>`
    select * from information_schema.statistics where ${isTable}`.execute(database);
  return {
    isTable: first.tabletype === 'BASE TABLE' || first.tabletype === 'SYSTEM VERSIONED',
    columns: describeColumns(
      columns.rows,
      kinds,
      ({ collation, generated }) => /_ci$/i.test(collation ?? '') || /^l(?:ower|case)\(/i.test(generated ?? ''),
    ),
    indexes: rows.flatMap((row) => {
      if (Number(row.SEQ_IN_INDEX) !== 1) return [];
      const parts = rows.filter(({ INDEX_NAME }) => INDEX_NAME === row.INDEX_NAME).length;
      const unique = Number(row.NON_UNIQUE) === 0 && parts === 1 && row.SUB_PART === null;
      const lowered = /^\(?l(?:ower|case)\(`(.+)`\)\)?$/i.exec(row.EXPRESSION ?? '')?.[1];
      return describeIndex(row.COLUMN_NAME, lowered, unique);
    }),
  };
};
