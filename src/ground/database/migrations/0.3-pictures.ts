import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Stores the pictures of clients. */
export const up: MigrationStep = async ({ create, addIndexes, longText }) => {
  await create('janua_pictures', {
    client_id: sql`varchar(255) primary key`,
    hash: sql`varchar(43) not null`,
    data: sql`${longText} not null`,
  });
  await addIndexes('janua_pictures', ['hash']);
};
