import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Stores links by which many users may join, and which of them a mailed link belongs to. */
export const up: MigrationStep = async ({ create, addColumn, addIndexes }) => {
  await create('janua_invite_links', {
    id: sql`varchar(36) primary key`,
    hash: sql`varchar(43) not null`,
    user_id: sql`varchar(255) not null`,
    label: sql`varchar(100) not null`,
    group_names: sql`varchar(6400) not null`,
    domain: sql`varchar(253) not null`,
    uses: sql`integer not null`,
    used: sql`integer not null`,
    created_at: sql`bigint not null`,
    expires_at: sql`bigint not null`,
  });
  await addIndexes('janua_invite_links', ['hash'], ['user_id'], ['expires_at']);
  await addColumn('janua_tokens', 'invite_link_id', sql`varchar(36)`);
};
