import pg from 'pg';
import type { StoreWatch } from '../faults/store-watch.ts';
import type { EngineDriver, StepTimeout } from './driver.ts';
import { isLostStatement, isReadOnly } from './errors.ts';
import { readPostgresHosts } from './postgres-hosts.ts';
import { createServerDriver, type ServerConnection } from './server-driver.ts';

/** Opens a connection. Returns it with the function that releases it. */
type Open = () => Promise<readonly [pg.ClientBase, ServerConnection['release']]>;

/** Reads the URL as libpq does: `sslmode=verify-full&sslrootcert=…` for TLS, `host=/run/postgresql` for a socket, several hosts. */
export function openPostgres(url: string, connections: number, timeout: StepTimeout, watch: StoreWatch): EngineDriver {
  const { urls, mustWrite } = readPostgresHosts(url);
  /**
   * Counts the changes to the next host, and so determines the current host. A connection from before the last change is to a host that
   * Janua has left.
   */
  let turn = 0;
  const turns = new WeakMap<pg.ClientBase, number>();
  /** Makes new connections go to the next host, unless another call has left this one already. */
  const leave = (left = turn) => {
    if (left === turn && urls.length > 1) turn += 1;
  };

  class Client extends pg.Client {
    constructor(options: pg.ClientConfig = {}) {
      super({
        ...options,
        connectionString: urls[turn % urls.length],
        connectionTimeoutMillis: timeout.milliseconds / urls.length,
        keepAlive: true,
        application_name: 'janua',
      });
      turns.set(this, turn);
      // Without a listener, an error between two queries would end the process. The next query reports it anyway.
      this.on('error', () => {});
    }
  }

  const hasReader = connections > 1;
  const connectionTimeoutMillis = timeout.milliseconds;
  const size = hasReader ? connections - 1 : connections;
  const pool = new pg.Pool({ Client, connectionTimeoutMillis, max: size });
  // A broken idle connection leaves the pool. The next query opens another.
  pool.on('error', () => {});
  const isLeft = (client: pg.ClientBase) => turns.get(client) !== turn;
  const { adapt, losesStatements } = createAdapt({ isLeft, onReadOnly: (client) => leave(turns.get(client)) });
  const checked = new WeakSet<pg.ClientBase>();

  async function check(client: pg.ClientBase): Promise<void> {
    if (!mustWrite || checked.has(client)) return;
    const { rows } = await client.query<{ transaction_read_only: string }>('show transaction_read_only');
    if (rows[0]?.transaction_read_only !== 'off') throw new Error('the server accepts no writes');
    checked.add(client);
  }

  /** Gets a connection. Undefined if new ones go to another host by now (`leave`). @throws if the server is silent, or takes no writes */
  async function openOne(open: Open): Promise<ServerConnection | undefined> {
    const [client, release] = await open();
    if (isLeft(client)) {
      release(true);
      return undefined;
    }
    await check(client).catch((error: unknown) => {
      release(true);
      throw error;
    });
    return adapt(client, release);
  }

  /**
   * Tries each host once, beginning with the host that worked last. A connection to a host that Janua has left meanwhile does not count as
   * a try.
   */
  async function connectToAny(open: Open): Promise<ServerConnection> {
    for (let tries = 1; ; ) {
      const begun = turn;
      try {
        const connection = await openOne(open);
        if (connection !== undefined) return connection;
      } catch (error) {
        leave(begun);
        if (tries === urls.length) throw error;
        tries += 1;
      }
    }
  }

  const connect = () =>
    connectToAny(async () => {
      const client = await pool.connect();
      return [client, (broken) => client.release(broken)];
    });

  const connectReader = () =>
    connectToAny(async () => {
      // If the server hangs, `query_timeout` closes the connection. Without it, `end` would wait for the answers.
      const client = new Client({ pipeline: true, query_timeout: timeout.milliseconds });
      await client.connect();
      return [client, () => void client.end()];
    });

  const driver = createServerDriver(
    { size, connect, ...(hasReader && { connectReader }), end: () => pool.end() },
    timeout,
    watch,
  );
  return { ...driver, losesStatements };
}

interface Hosts {
  isLeft(client: pg.ClientBase): boolean;
  /** Called when a server has become read-only. */
  onReadOnly(client: pg.ClientBase): void;
}

/**
 * Creates `adapt`, which names prepared statements until one is lost. They are lost behind a PgBouncer that pools transactions without
 * `max_prepared_statements`.
 */
function createAdapt({ isLeft, onReadOnly }: Hosts) {
  let hasNames = true;

  function adapt(client: pg.ClientBase, release: ServerConnection['release']): ServerConnection {
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
          if (isReadOnly(error)) onReadOnly(client);
          if (used === undefined || !isLostStatement(error)) throw error;
          hasNames = false;
          return run(text, parameters);
        }
      },
      isLeft: () => isLeft(client),
      release,
    };
  }

  return { adapt, losesStatements: () => !hasNames };
}
