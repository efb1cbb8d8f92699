import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Stores imports of users, and which user came by which of them. */
export const up: MigrationStep = async ({ create, addColumn, addIndexes }) => {
  await create('janua_imports', {
    id: sql`varchar(36) primary key`,
    label: sql`varchar(100) not null`,
    actor_id: sql`varchar(255)`,
    operator: sql`varchar(255)`,
    added: sql`integer not null`,
    created_at: sql`bigint not null`,
  });
  await addColumn('janua_users', 'import_id', sql`varchar(36)`);
  await addIndexes('janua_users', ['import_id']);
};
