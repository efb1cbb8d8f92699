import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/**
 * Data that users manage themselves: language and age of the password, remembered sessions, one-time tokens, and mail that waits to be
 * sent.
 */
export const up: MigrationStep = async ({ addColumn, recreate }) => {
  await addColumn('janua_users', 'language', sql`varchar(8)`);
  await addColumn('janua_users', 'password_changed_at', sql`bigint`);
  await addColumn('janua_sessions', 'remembered', sql`integer default 0 not null`);

  await recreate('janua_tokens', ['user_id', 'expires_at'], {
    hash: sql`varchar(43) primary key`,
    purpose: sql`varchar(40) not null`,
    user_id: sql`varchar(255)`,
    address: sql`varchar(254) not null`,
    stamp: sql`varchar(43)`,
    expires_at: sql`bigint not null`,
  });

  await recreate('janua_mails', ['due_at', 'expires_at'], {
    id: sql`varchar(36) primary key`,
    purpose: sql`varchar(40) not null`,
    user_id: sql`varchar(255)`,
    address: sql`varchar(254) not null`,
    language: sql`varchar(8) not null`,
    request_id: sql`varchar(64)`,
    details: sql`text not null`,
    created_at: sql`bigint not null`,
    due_at: sql`bigint`,
    expires_at: sql`bigint not null`,
    attempts: sql`integer default 0 not null`,
    failure: sql`varchar(200)`,
    content: sql`text`,
  });
};
