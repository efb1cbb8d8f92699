import { parseMapping } from '../core/users/source/mapping.ts';
import { loadSettings } from '../ground/config/load.ts';
import type { Settings } from '../ground/config/settings.ts';
import { engineOf } from '../ground/database/database.ts';
import { listGrants } from '../ground/database/grants.ts';

/** Returns the statements with which an administrator of the database server grants the account its rights. */
export function grantsFor(account: string, settings: Settings): string[] {
  const { DATABASE_URL, REDIS_URL, USERS_TABLE, USERS_COLUMNS, PASSWORD_REHASH } = settings;
  const mapping = parseMapping(USERS_TABLE, USERS_COLUMNS);
  const writes = PASSWORD_REHASH === 'on' ? mapping?.password : undefined;
  return listGrants(engineOf(DATABASE_URL), {
    account,
    ownTable: mapping && { table: mapping.table, writes },
    sessionsInRedis: REDIS_URL !== undefined,
  });
}

/** Prints the statements without opening a store. */
export const printGrants = (account: string) =>
  void process.stdout.write(`${grantsFor(account, loadSettings()).join('\n')}\n`);
