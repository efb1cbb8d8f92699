import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Failures that the throttle counts, and the audit. */
export const up: MigrationStep = async ({ recreate }) => {
  await recreate('janua_failures', ['expires_at'], {
    // The key holds a user's id of up to 255 characters, and more.
    key: sql`varchar(400) primary key`,
    count: sql`integer not null`,
    last_at: sql`bigint not null`,
    expires_at: sql`bigint`,
  });

  // The ids of events are in order of time, so time needs no index. An index for each query would slow every login.
  await recreate('janua_audit', ['request_id'], {
    id: sql`varchar(36) primary key`,
    at: sql`bigint not null`,
    kind: sql`varchar(40) not null`,
    request_id: sql`varchar(64)`,
    user_id: sql`varchar(255)`,
    event: sql`text not null`,
  });
};
