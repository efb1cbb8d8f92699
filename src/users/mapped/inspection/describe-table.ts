import type { OpenDatabase } from '../../../database/database.ts';
import { describeMysqlTable } from './mysql.ts';
import { describePostgresTable } from './postgres.ts';
import { describeSqliteTable } from './sqlite.ts';

const inspections = { sqlite: describeSqliteTable, postgres: describePostgresTable, mysql: describeMysqlTable };

/**
 * Undefined if there is no table of that name.
 * @param table its name, or SCHEMA.TABLE
 */
export async function describeTable({ database, engine }: OpenDatabase, table: string) {
  const [name = '', schema] = table.split('.').reverse();
  return inspections[engine](database, name, schema);
}
