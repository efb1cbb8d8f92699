import pg from 'pg';
import type { StoreWatch } from '../faults/store-watch.ts';
import type { EngineDriver, StepTimeout } from './driver.ts';
import { createServerDriver, type ServerConnection } from './server-driver.ts';

/** Reads the URL as libpq does: `sslmode=verify-full&sslrootcert=…` for TLS, `host=/run/postgresql` for a socket. */
export function openPostgres(url: string, connections: number, timeout: StepTimeout, watch: StoreWatch): EngineDriver {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: timeout.milliseconds,
    keepAlive: true,
    application_name: 'janua',
  });
  // A broken idle connection leaves the pool. The next query opens another.
  pool.on('error', () => {});
  // Without a listener, an error between two queries would end the process. The next query reports it anyway.
  pool.on('connect', (client) => client.on('error', () => {}));
  const connect = async () => adapt(await pool.connect());
  return createServerDriver({ connect, end: () => pool.end() }, timeout, watch);
}

const adapt = (client: pg.PoolClient): ServerConnection => ({
  async query(text, parameters, name) {
    const { rows, rowCount } = await client.query<never>({ text, values: [...parameters], ...(name && { name }) });
    return { rows, numAffectedRows: BigInt(rowCount ?? 0) };
  },
  release: (broken) => client.release(broken),
});
