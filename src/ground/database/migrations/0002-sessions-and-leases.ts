import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Migrations take a lease themselves, before the first step. */
export const createLeases: MigrationStep = ({ create }) =>
  create('janua_leases', { name: sql`varchar(40) primary key`, expires_at: sql`bigint not null` });

/** Sessions and leases. */
export const up: MigrationStep = async (tables) => {
  await tables.recreate('janua_sessions', ['user_id', 'expires_at'], {
    id: sql`varchar(22) primary key`,
    user_id: sql`varchar(255) not null`,
    password_fingerprint: sql`varchar(43) not null`,
    cookie_hash: sql`varchar(43) not null`,
    token_hash: sql`varchar(43) not null`,
    created_at: sql`bigint not null`,
    last_seen_at: sql`bigint not null`,
    expires_at: sql`bigint not null`,
  });
  await createLeases(tables);
};
