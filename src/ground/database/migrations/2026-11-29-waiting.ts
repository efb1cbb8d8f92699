import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** The party of a request that waits for its user. Processes of the previous version insert rows without it. */
export const up: MigrationStep = async ({ addColumn, addIndex }) => {
  await addColumn('janua_oidc_records', 'party', sql`varchar(64)`);
  await addIndex('janua_oidc_records', ['model', 'party']);
};
