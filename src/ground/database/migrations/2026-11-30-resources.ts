import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/**
 * How the tokens of a resource are signed, and by which secret it asks about them. Existing resources, and resources that a process of the
 * previous version adds, keep ES256.
 */
export const up: MigrationStep = async ({ addColumn, addIndex }) => {
  await addColumn('janua_resources', 'alg', sql`varchar(8) default 'ES256' not null`);
  await addColumn('janua_resources', 'client_id', sql`varchar(22)`);
  await addColumn('janua_resources', 'secret_hash', sql`varchar(43)`);
  await addIndex('janua_resources', ['client_id']);
};
