import type { Database, Engine } from '../../../database/database.ts';
import { describeMysqlTable } from './mysql.ts';
import { describePostgresTable } from './postgres.ts';
import { describeSqliteTable } from './sqlite.ts';

import type { TableDescription } from './table-description.ts';

/** Undefined if there is no table of that name. */
export function describeTable(
  database: Database,
  engine: Engine,
  table: string,
): Promise<TableDescription | undefined> {
  const parts = table.split('.');
  const name = parts.pop() ?? '';
  const describe = { sqlite: describeSqliteTable, postgres: describePostgresTable, mysql: describeMysqlTable }[engine];
  return describe(database, name, parts[0]);
}
