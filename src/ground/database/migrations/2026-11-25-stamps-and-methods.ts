import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Processes of the previous version still insert rows, so the columns have defaults. */
export const up: MigrationStep = async ({ addColumn }) => {
  await addColumn('janua_users', 'stamp', sql`varchar(43)`);
  await addColumn('janua_sessions', 'authenticated_at', sql`bigint default 0 not null`);
  await addColumn('janua_sessions', 'methods', sql`varchar(60) default 'pwd' not null`);
  await addColumn('janua_sessions', 'user_agent', sql`varchar(200) default '' not null`);
  await addColumn('janua_sessions', 'address', sql`varchar(64) default '' not null`);
};
