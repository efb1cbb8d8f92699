import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Users and keys. Step 0002 replaced the sessions table that this step once made. */
export const up: MigrationStep = async ({ create }) => {
  await create('janua_users', {
    id: sql`varchar(36) primary key`,
    username: sql`varchar(254) not null unique`,
    password_hash: sql`varchar(512) not null`,
    first_name: sql`varchar(100) not null`,
    last_name: sql`varchar(100) not null`,
    disabled: sql`integer default 0 not null`,
    demo: sql`integer default 0 not null`,
    created_at: sql`bigint not null`,
  });
  await create('janua_keys', { name: sql`varchar(40) primary key`, value: sql`varchar(100) not null` });
};
