import { findPatroni } from '../clusters/patroni.ts';
import { findApache } from './apache.ts';
import { findAuthlib } from './authlib.ts';
import { findGalera } from './galera.ts';
import { findMariadb } from './mariadb.ts';
import { findOidcAgent } from './oidc-agent.ts';
import { findOpenSmtpd } from './opensmtpd.ts';
import { findPgbouncer } from './pgbouncer.ts';
import { findPostgres } from './postgres.ts';
import { findRedis } from './redis.ts';

const programs = {
  PostgreSQL: findPostgres,
  PgBouncer: findPgbouncer,
  MariaDB: findMariadb,
  Galera: findGalera,
  Redis: () => findRedis(),
  OpenSMTPD: findOpenSmtpd,
  Apache: findApache,
  Authlib: findAuthlib,
  'oidc-agent': findOidcAgent,
  Patroni: findPatroni,
};

/** Set for runs that must not start servers, even if the programs are installed. */
export const noServersVariable = 'JANUA_TEST_NO_SERVERS';

/**
 * For `skip`: the reason to skip a test that needs these servers, or false. SQLite, and sessions in SQL, need no server.
 * CI skips no test for a missing program: the test runs and fails.
 */
export function missing(...stores: readonly ('SQLite' | 'SQL' | keyof typeof programs)[]): string | false {
  const servers = stores.filter((store) => store !== 'SQLite' && store !== 'SQL');
  if (process.env[noServersVariable]) return servers.length > 0 && `this run starts no ${servers.join(' or ')}`;
  if (stores.includes('OpenSMTPD') && process.getuid?.() !== 0) return 'only root may start OpenSMTPD';
  if (process.env.CI === 'true') return false;
  const absent = servers.filter((server) => programs[server]() === undefined);
  return absent.length > 0 && `not installed: ${absent.join(', ')}`;
}
