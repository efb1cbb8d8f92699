import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Users all of whose sessions in Redis from before a time have ended. Processes of the version before do not ask for it. */
export const up: MigrationStep = async ({ recreate }) => {
  await recreate('janua_not_before', ['expires_at'], {
    user_id: sql`varchar(255) primary key`,
    not_before: sql`bigint not null`,
    kept_id: sql`varchar(22)`,
    expires_at: sql`bigint not null`,
  });
};
