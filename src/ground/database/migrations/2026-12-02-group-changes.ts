import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** The counter by which a change locks all groups. Processes of the previous version lock the row without it. */
export const up: MigrationStep = ({ addColumn }) =>
  addColumn('janua_groups', 'changes', sql`bigint default 0 not null`);
