import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** What the throttle counts, and the audit. */
export const up: MigrationStep = async ({ create, drop, index }) => {
  await drop('janua_failures');
  await create('janua_failures', {
    // A user's id may have 255 characters, and the key says more than that.
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
  // Events are found by time through their ids, which are in order of time. An index for each question would cost every login.
  await index('janua_audit', 'request_id');
};
