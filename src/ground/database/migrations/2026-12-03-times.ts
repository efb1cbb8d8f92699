import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** When something last happened. */
export const up: MigrationStep = async ({ create }) => {
  await create('janua_times', { name: sql`varchar(64) primary key`, at: sql`bigint not null` });
};
