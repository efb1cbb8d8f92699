import { parseMapping } from '../core/users/mapped/mapping.ts';
import { loadSettings } from '../ground/config/load.ts';
import { engineOf } from '../ground/database/database.ts';
import { listGrants } from '../ground/database/grants.ts';

/** Prints what an administrator of the database server has to run. It opens no store. */
export function printGrants(account: string): void {
  const { DATABASE_URL, REDIS_URL, USERS_TABLE, USERS_COLUMNS, PASSWORD_REHASH } = loadSettings();
  const mapping = parseMapping(USERS_TABLE, USERS_COLUMNS);
  const writes = PASSWORD_REHASH === 'on' ? mapping?.password : undefined;
  const statements = listGrants(engineOf(DATABASE_URL), {
    account,
    ownTable: mapping && { table: mapping.table, writes },
    sessionsInRedis: REDIS_URL !== undefined,
  });
  process.stdout.write(`${statements.join('\n')}\n`);
}
