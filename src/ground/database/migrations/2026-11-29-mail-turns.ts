import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Mails take turns. A mail that an older version adds counts as a stranger's, because it does not say who caused it. */
export const up: MigrationStep = async ({ addColumn, addIndex }) => {
  await addColumn('janua_mails', 'stranger', sql`integer default 1 not null`);
  await addColumn('janua_mails', 'party', sql`varchar(260)`);
  await addColumn('janua_mails', 'turn_at', sql`bigint`);
  for (const columns of [
    ['turn_at', 'due_at', 'id'],
    ['stranger', 'turn_at', 'id'],
    ['party', 'turn_at'],
  ])
    await addIndex('janua_mails', columns);
};
