import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Stores which file of `janua apply` has added an object, and which files were applied. */
export const up: MigrationStep = async ({ addColumn, create }) => {
  for (const table of ['janua_groups', 'janua_clients', 'janua_resources'])
    await addColumn(table, 'applied_by', sql`varchar(40)`);
  await create('janua_applied_files', {
    name: sql`varchar(40) primary key`,
    versions: sql`text not null`,
  });
};
