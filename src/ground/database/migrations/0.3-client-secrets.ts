import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Replaces the only secret of each client by a list of secrets, which contains it. */
export const up: MigrationStep = async ({ hasColumn, addColumn, update, dropColumn }) => {
  await addColumn('janua_clients', 'secrets', sql`text`);
  if (!(await hasColumn('janua_clients', 'secret_hash'))) return;
  const list = sql`concat('[{"name":"first","hash":"', secret_hash, '","createdAt":', created_at, '}]')`;
  await update('janua_clients', sql`secrets = ${list} where secret_hash is not null`);
  await dropColumn('janua_clients', 'secret_hash');
};
