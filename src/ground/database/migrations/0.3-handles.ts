import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Stores the handle of a user, and which handles were ever given. */
export const up: MigrationStep = async ({ create, addColumn, addIndexes }) => {
  await addColumn('janua_users', 'handle', sql`varchar(32)`);
  await addIndexes('janua_users', ['handle']);
  await create('janua_handles', { digest: sql`varchar(43) primary key`, user_id: sql`varchar(255) not null` });
  await addIndexes('janua_handles', ['user_id']);
};
