import type { Database } from '../../../database/database.ts';
import { sql } from '../../../database/kysely.ts';
import {
  type ColumnKinds,
  describeIndex,
  type IndexDescription,
  kindOf,
  type TableDescription,
} from './table-description.ts';

/** SQLite accepts any type name. What the name contains decides how SQLite treats the column. */
const kinds: ColumnKinds = [
  [/bool/i, 'boolean'],
  [/date|time/i, 'time'],
  [/int/i, 'integer'],
  [/char|clob|text|uuid/i, 'text'],
];

export async function describeSqliteTable(database: Database, name: string): Promise<TableDescription | undefined> {
  const found = await sql<{ type: string; name: string }>`
    select type, name from sqlite_master where name = ${name} collate nocase and type in ('table', 'view')`.execute(
    database,
  );
  const [table] = found.rows;
  if (table === undefined) return undefined;
  const columns = await sql<{ name: string; type: string; pk: number }>`
    select name, type, pk from pragma_table_xinfo(${table.name})`.execute(database);
  const [key, ...otherKeys] = columns.rows.filter(({ pk }) => pk > 0);
  const indexes = await describeIndexes(database, table.name);
  // An integer primary key is the row id, and has no index of its own.
  if (key !== undefined && otherKeys.length === 0) indexes.push({ column: key.name, unique: true, form: 'plain' });
  return {
    isTable: table.type === 'table',
    columns: columns.rows.map(({ name: column, type }) => ({
      name: column,
      type,
      kind: kindOf(kinds, type),
      // Each index tells by itself whether it ignores case.
      ignoresCase: false,
    })),
    indexes,
  };
}

interface IndexRow {
  readonly unique: number;
  readonly column: string | null;
  readonly collation: string;
  readonly columns: number;
  readonly definition: string | null;
}

async function describeIndexes(database: Database, table: string): Promise<IndexDescription[]> {
  const { rows } = await sql<IndexRow>`
    select list."unique", part.name as "column", part.coll as collation, master.sql as definition,
      (select count(*) from pragma_index_xinfo(list.name) where key = 1) as columns
    from pragma_index_list(${table}) as list
    join pragma_index_xinfo(list.name) as part on part.seqno = 0 and part.key = 1
    left join sqlite_master as master on master.name = list.name
    where list.partial = 0`.execute(database);
  return rows.flatMap(({ unique, column, collation, columns, definition }): IndexDescription[] => {
    const isUnique = unique === 1 && columns === 1;
    if (column !== null && collation.toLowerCase() === 'nocase') return [{ column, unique: isUnique, form: 'nocase' }];
    const lowered = /\(\s*lower\s*\(\s*["`[]?(.+?)["`\]]?\s*\)/i.exec(definition ?? '')?.[1];
    return describeIndex(column, lowered, isUnique);
  });
}
