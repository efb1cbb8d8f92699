import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Users who did not want a passkey when they were asked. */
export const up: MigrationStep = ({ create }) =>
  create('janua_passkey_offers', {
    user_id: sql`varchar(255) primary key`,
    // Null for users who are not to be asked again.
    again_at: sql`bigint`,
  });
