import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Stores the custom claims of users and groups. */
export const up: MigrationStep = async ({ addColumn }) => {
  await addColumn('janua_users', 'claims', sql`text`);
  await addColumn('janua_groups', 'claims', sql`text`);
};
