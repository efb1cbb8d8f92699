import pg from 'pg';
import type { StoreWatch } from '../faults/store-watch.ts';
import { createDialect } from './kysely.ts';
import type { OpenEngine } from './reading-driver.ts';
import { createServerDriver, type Patience, type ServerConnection, type ServerPool } from './server-driver.ts';

/**
 * PostgreSQL by `pg`. It reads the URL as libpq does: `sslmode=verify-full&sslrootcert=…` for TLS, `host=/run/postgresql` for a socket.
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
  // A broken idle connection leaves the pool. The next query opens another.
  pool.on('error', () => {});
  return {
    async connect() {
      return adapt(await pool.connect());
    },
    end: () => pool.end(),
  };
}

function adapt(client: pg.PoolClient): ServerConnection {
  // Without a listener, an error between two queries would end the process. The next query reports it anyway.
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
