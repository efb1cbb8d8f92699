import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Notices of an account that are merged, and indexes that count what waits. Processes of the version before merge and count nothing. */
export const up: MigrationStep = async ({ recreate, addIndex }) => {
  await recreate('janua_notices', ['user_id', 'mail_id', 'expires_at'], {
    id: sql`varchar(43) primary key`,
    user_id: sql`varchar(255) not null`,
    kinds: sql`text not null`,
    mail_id: sql`varchar(36)`,
    expires_at: sql`bigint not null`,
    changes: sql`bigint default 0 not null`,
  });
  for (const columns of [
    ['stranger', 'due_at'],
    ['party', 'due_at'],
    ['address', 'stranger', 'due_at'],
  ])
    await addIndex('janua_mails', columns);
};
