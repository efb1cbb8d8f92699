import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Finds the oldest ended sessions of a user. Those of processes of the version before have none. */
export const up: MigrationStep = async ({ addColumn, addIndex }) => {
  await addColumn('janua_ended_sessions', 'user_id', sql`varchar(255)`);
  await addIndex('janua_ended_sessions', ['user_id', 'expires_at']);
};
