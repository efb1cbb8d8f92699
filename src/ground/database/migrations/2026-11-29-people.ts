import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/**
 * The counter by which a change locks, and the stamp that was proved for a mail about an account. Processes of the previous version insert
 * users and mails without them.
 */
export const up: MigrationStep = async ({ addColumn, recreate }) => {
  await recreate('janua_people', [], {
    user_id: sql`varchar(255) primary key`,
    username: sql`varchar(254) not null`,
    since: sql`bigint not null`,
    stamp: sql`varchar(43)`,
    changes: sql`bigint not null`,
  });
  await addColumn('janua_users', 'changes', sql`bigint default 0 not null`);
  await addColumn('janua_mails', 'stamp', sql`varchar(43)`);
};
