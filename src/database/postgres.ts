import pg from 'pg';
import type { StoreWatch } from '../faults/store-watch.ts';
import { createDialect } from './kysely.ts';
import type { OpenEngine } from './reading-driver.ts';
import { createServerDriver, type Patience, type ServerConnection, type ServerPool } from './server-driver.ts';

/**
 * PostgreSQL by `pg`, which reads the URL as libpq would: `sslmode=verify-full&sslrootcert=…` for TLS, `host=/run/postgresql`
 * for a socket.
 */
export function openPostgres(url: string, connections: number, patience: Patience, watch: StoreWatch): OpenEngine {
  const driver = createServerDriver(createPool(url, connections, patience), patience, watch);
  return { driver, dialect: createDialect('postgres', driver) };
}

function createPool(connectionString: string, max: number, { milliseconds }: Patience): ServerPool {
  const pool = new pg.Pool({
    connectionString,
    max,
    connectionTimeoutMillis: milliseconds,
    keepAlive: true,
    application_name: 'janua',
  });
  // An idle connection that breaks leaves the pool, and the next query opens another.
  pool.on('error', () => {});
  return {
    async connect() {
      return adapt(await pool.connect());
    },
    end: () => pool.end(),
  };
}

function adapt(client: pg.PoolClient): ServerConnection {
  // Without a listener an error between two queries would end the process; the next query fails anyway.
  const ignore = () => {};
  client.on('error', ignore);
  const release = (destroy: boolean) => {
    client.off('error', ignore);
    client.release(destroy);
  };
  return {
    async query(text, parameters, name) {
      const { rows, rowCount } = await client.query<never>({ text, values: [...parameters], ...(name && { name }) });
      return { rows, numAffectedRows: BigInt(rowCount ?? 0) };
    },
    release: () => release(false),
    destroy: () => release(true),
  };
}
