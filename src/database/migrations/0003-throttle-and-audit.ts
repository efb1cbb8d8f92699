import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Failures that the throttle counts, and the audit. */
export const up: MigrationStep = async ({ create, drop, index }) => {
  await drop('janua_failures');
  await create('janua_failures', {
    // The key holds a user's id of up to 255 characters, and more.
    key: sql`varchar(400) primary key`,
    count: sql`integer not null`,
    last_at: sql`bigint not null`,
    expires_at: sql`bigint`,
  });
  await index('janua_failures', 'expires_at');

  await drop('janua_audit');
  await create('janua_audit', {
    id: sql`varchar(36) primary key`,
    at: sql`bigint not null`,
    kind: sql`varchar(40) not null`,
    request_id: sql`varchar(64)`,
    user_id: sql`varchar(255)`,
    event: sql`text not null`,
  });
  // The ids of events are in order of time, so time needs no index. An index for each query would slow every login.
  await index('janua_audit', 'request_id');
};
