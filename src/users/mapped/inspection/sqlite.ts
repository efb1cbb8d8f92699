import { sql } from '../../../database/kysely.ts';
import {
  type ColumnRow,
  describeColumns,
  describeIndex,
  type IndexDescription,
  type Inspect,
} from './table-description.ts';

/** SQLite accepts any type name. What the name contains decides how SQLite treats the column. */
const kinds = [
  [/bool/i, 'boolean'],
  [/date|time/i, 'time'],
  [/int/i, 'integer'],
  [/char|clob|text|uuid/i, 'text'],
] as const;

interface IndexRow {
  readonly unique: number;
  readonly column: string | null;
  readonly collation: string;
  readonly columns: number;
  readonly definition: string | null;
}

export const inspectSqlite: Inspect = async (database, name) => {
  const columns = await sql<ColumnRow & { pk: number }>`
    select master.type as tabletype, part.name, part.type, part.type as base, part.pk
    from sqlite_master as master join pragma_table_xinfo(master.name) as part
    where master.name = ${name} collate nocase and master.type in ('table', 'view')`.execute(database);
  const [first] = columns.rows;
  if (first === undefined) return undefined;
  const indexes = await sql<IndexRow>`
    select list."unique", part.name as "column", part.coll as collation, master.sql as definition,
      (select count(*) from pragma_index_xinfo(list.name) where key = 1) as columns
    from pragma_index_list(${name}) as list
    join pragma_index_xinfo(list.name) as part on part.seqno = 0 and part.key = 1
    left join sqlite_master as master on master.name = list.name
    where list.partial = 0`.execute(database);
  const [key, ...otherKeys] = columns.rows.filter(({ pk }) => pk > 0);
  return {
    isTable: first.tabletype === 'table',
    // Each index tells by itself whether it ignores case.
    columns: describeColumns(columns.rows, kinds, () => false),
    indexes: [
      ...indexes.rows.flatMap(toIndexes),
      // An integer primary key is the row id, and has no index of its own.
      ...(key === undefined || otherKeys.length > 0 ? [] : describeIndex(key.name, undefined, true)),
    ],
  };
};

function toIndexes({ unique, column, collation, columns, definition }: IndexRow): IndexDescription[] {
  const isUnique = unique === 1 && columns === 1;
  if (column !== null && collation.toLowerCase() === 'nocase') return [{ column, unique: isUnique, form: 'nocase' }];
  const lowered = /\(\s*lower\s*\(\s*["`[]?(.+?)["`\]]?\s*\)/i.exec(definition ?? '')?.[1];
  return describeIndex(column, lowered, isUnique);
}
