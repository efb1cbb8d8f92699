import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Stores for which resources a resource may exchange its tokens. */
export const up: MigrationStep = async ({ addColumn }) => {
  await addColumn('janua_resources', 'exchanges', sql`text`);
};
