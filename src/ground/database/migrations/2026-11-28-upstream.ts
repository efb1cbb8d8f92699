import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Sign-in with other providers. */
export const up: MigrationStep = async ({ recreate }) => {
  await recreate('janua_identities', ['user_id'], {
    id: sql`varchar(43) primary key`,
    upstream: sql`varchar(32) not null`,
    issuer: sql`varchar(255) not null`,
    subject: sql`varchar(255) not null`,
    user_id: sql`varchar(255) not null`,
    username: sql`varchar(254) not null`,
    name: sql`varchar(254) not null`,
    linked_at: sql`bigint not null`,
    last_used_at: sql`bigint`,
  });
};
