import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Whether a group demands a second factor of its users. Processes of the version before do not ask for it. */
export const up: MigrationStep = ({ addColumn }) =>
  addColumn('janua_groups', 'second_factor', sql`integer default 0 not null`);
