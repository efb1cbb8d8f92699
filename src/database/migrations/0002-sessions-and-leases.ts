import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Sessions and leases. */
export const up: MigrationStep = async ({ create, drop, index }) => {
  await drop('janua_sessions');
  await create('janua_sessions', {
    id: sql`varchar(22) primary key`,
    user_id: sql`varchar(255) not null`,
    password_fingerprint: sql`varchar(43) not null`,
    cookie_hash: sql`varchar(43) not null`,
    token_hash: sql`varchar(43) not null`,
    created_at: sql`bigint not null`,
    last_seen_at: sql`bigint not null`,
    expires_at: sql`bigint not null`,
  });
  await index('janua_sessions', 'user_id');
  await index('janua_sessions', 'expires_at');
  await create('janua_leases', { name: sql`varchar(40) primary key`, expires_at: sql`bigint not null` });
};
