import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/**
 * Whether an address is verified is a fact of its own. Processes of the previous version insert users without it: NULL means that
 * `address_proof` alone tells. An invitation whose link was not used has proved nothing.
 */
export const up: MigrationStep = async ({ addColumn, update }) => {
  await addColumn('janua_users', 'verified_address', sql`varchar(254)`);
  await addColumn('janua_users', 'verified_how', sql`varchar(16)`);
  await addColumn('janua_users', 'verified_by', sql`varchar(255)`);
  await addColumn('janua_users', 'verified_at', sql`bigint`);
  const isInvited = sql`address_proof = 'mail' and password_hash = ''`;
  await update(
    'janua_users',
    sql`verified_address = case when ${isInvited} then '' else username end
      where verified_address is null and address_proof in ('mail', 'changed')`,
  );
};
