import type { OpenDatabase } from '../../../database/database.ts';
import { inspectMysql } from './mysql.ts';
import { inspectPostgres } from './postgres.ts';
import { inspectSqlite } from './sqlite.ts';

const inspections = { sqlite: inspectSqlite, postgres: inspectPostgres, mysql: inspectMysql };

/** Undefined if there is no table of that name. @param table its name, or SCHEMA.TABLE */
export async function describeTable({ database, engine }: OpenDatabase, table: string) {
  const [name = '', schema] = table.split('.').reverse();
  return inspections[engine](database, name, schema);
}
