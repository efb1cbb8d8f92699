import pg from 'pg';
import type { StoreWatch } from '../faults/store-watch.ts';
import type { EngineDriver, StepTimeout } from './driver.ts';
import { isLostStatement } from './errors.ts';
import { createServerDriver, type ServerConnection } from './server-driver.ts';

/** Reads the URL as libpq does: `sslmode=verify-full&sslrootcert=…` for TLS, `host=/run/postgresql` for a socket. */
export function openPostgres(url: string, connections: number, timeout: StepTimeout, watch: StoreWatch): EngineDriver {
  const options: pg.ClientConfig = {
    connectionString: url,
    connectionTimeoutMillis: timeout.milliseconds,
    keepAlive: true,
    application_name: 'janua',
  };
  const hasReader = connections > 1;
  const pool = new pg.Pool({ ...options, max: hasReader ? connections - 1 : connections });
  // A broken idle connection leaves the pool. The next query opens another.
  pool.on('error', () => {});
  // Without a listener, an error between two queries would end the process. The next query reports it anyway.
  pool.on('connect', (client) => client.on('error', () => {}));
  const adapt = createAdapt();
  const connect = async () => {
    const client = await pool.connect();
    return adapt(client, (broken) => client.release(broken));
  };

  /** The client's own time limit ends a connection whose server hangs. `end` would wait for the answers. */
  async function connectReader() {
    const client = new pg.Client({ ...options, pipeline: true, query_timeout: timeout.milliseconds });
    client.on('error', () => {});
    await client.connect();
    return adapt(client, () => void client.end());
  }

  return createServerDriver({ connect, ...(hasReader && { connectReader }), end: () => pool.end() }, timeout, watch);
}

/** Names statements until the server has lost one: a PgBouncer that pools transactions, without `max_prepared_statements`. */
function createAdapt() {
  let hasNames = true;

  return (client: pg.ClientBase, release: ServerConnection['release']): ServerConnection => {
    async function run(text: string, parameters: readonly unknown[], name?: string) {
      const { rows, rowCount } = await client.query<never>({ text, values: [...parameters], ...(name && { name }) });
      return { rows, numAffectedRows: BigInt(rowCount ?? 0) };
    }
    return {
      async query(text, parameters, name) {
        const used = hasNames ? name : undefined;
        try {
          return await run(text, parameters, used);
        } catch (error) {
          if (used === undefined || !isLostStatement(error)) throw error;
          hasNames = false;
          return run(text, parameters);
        }
      },
      release,
    };
  };
}
