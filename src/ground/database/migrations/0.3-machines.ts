import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Stores which program added a user. */
export const up: MigrationStep = async ({ addColumn, addIndexes }) => {
  await addColumn('janua_users', 'added_by', sql`varchar(255)`);
  await addIndexes('janua_users', ['added_by']);
};
