import type { Database } from '../../../src/ground/database/database.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { rows, type Tables } from '../../../src/ground/database/schema.ts';

type Values = Readonly<Record<string, unknown>>;

/** Inserts a row with these values, as far as the table has their columns, and empty ones. */
export async function insertSample(database: Database, table: keyof Tables, values: Values): Promise<void> {
  const row = Object.entries({ ...rows[table], ...values }).filter(([column]) => column in rows[table]);
  await sql`insert into ${sql.table(table)} (${sql.join(row.map(([column]) => sql.ref(column)))})
    values (${sql.join(row.map(([, value]) => value))})`.execute(database);
}

/** The column of the primary key. */
export const keyOf = (table: keyof Tables): string => Object.keys(rows[table])[0] ?? '';
