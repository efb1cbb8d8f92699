import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Sessions in Redis that have ended. */
export const up: MigrationStep = async ({ recreate }) => {
  await recreate('janua_ended_sessions', ['expires_at'], {
    id: sql`varchar(22) primary key`,
    expires_at: sql`bigint not null`,
  });
};
