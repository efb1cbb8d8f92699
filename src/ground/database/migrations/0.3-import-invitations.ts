import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Stores which imported users await an invitation, and how many of an import were invited. */
export const up: MigrationStep = async ({ addColumn, addIndexes }) => {
  await addColumn('janua_users', 'invite_by', sql`varchar(255)`);
  await addIndexes('janua_users', ['invite_by', 'id']);
  await addColumn('janua_imports', 'invited', sql`integer`);
};
