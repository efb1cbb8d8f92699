import { findMariadb } from './mariadb.ts';
import { findPostgres } from './postgres.ts';
import { findRedis } from './redis.ts';

const programs = { PostgreSQL: findPostgres, MariaDB: findMariadb, Redis: () => findRedis() };

/** Set for tests that must do without servers, even where the programs are installed. */
export const noServersVariable = 'JANUA_TEST_NO_SERVERS';

/**
 * For `skip`: why a test that needs these stores is left out here, else false. SQLite, and sessions in SQL, need no server.
 * CI leaves nothing out by itself: there the test runs, and fails.
 */
export function missing(...stores: readonly ('SQLite' | 'SQL' | keyof typeof programs)[]): string | false {
  const servers = stores.filter((store) => store !== 'SQLite' && store !== 'SQL');
  if (process.env[noServersVariable]) return servers.length > 0 && `this run starts no ${servers.join(' or ')}`;
  if (process.env.CI === 'true') return false;
  const absent = servers.filter((server) => programs[server]() === undefined);
  return absent.length > 0 && `not installed: ${absent.join(', ')}`;
}
