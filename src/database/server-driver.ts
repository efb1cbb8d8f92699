import type { DatabaseConnection, Driver, QueryResult } from 'kysely';
import { inTime } from '../faults/in-time.ts';
import type { AccessKind, StoreWatch } from '../faults/store-watch.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { accessOf } from './access.ts';
import { classify, databaseUnavailable } from './errors.ts';

/** What both client libraries, PostgreSQL's and MySQL's, are adapted to. */
export interface ServerPool {
  connect(): Promise<ServerConnection>;
  end(): Promise<void>;
}

export interface ServerConnection {
  query(sql: string, parameters: readonly unknown[]): Promise<QueryResult<never>>;
  release(): void;
  /** Closes it at once, whatever is under way on it. */
  destroy(): void;
}

/** How long one step may take, in milliseconds. Migrations need more than requests. */
export interface Patience {
  milliseconds: number;
}

interface PooledConnection extends DatabaseConnection {
  readonly raw: ServerConnection;
  broken: boolean;
}

/**
 * Kysely's driver for a database server. Every step ends within its time: a server that is frozen, gone, or out of
 * connections makes a request fail and never hang (ASVS 16.5.2). A connection that failed is never used again.
 */
export function createServerDriver(pool: ServerPool, patience: Patience, watch: StoreWatch): Driver {
  async function watched<T>(kind: AccessKind, work: () => Promise<T>): Promise<T> {
    try {
      const result = await inTime(work(), patience.milliseconds);
      watch.succeeded(kind);
      return result;
    } catch (error) {
      const classified = classify(error);
      if (classified instanceof Unavailable) watch.failed(kind, classified);
      throw classified;
    }
  }

  async function connect(): Promise<ServerConnection> {
    let late = false;
    const connecting = pool.connect();
    connecting.then((connection) => late && connection.release()).catch(() => {});
    try {
      return await inTime(connecting, patience.milliseconds);
    } catch (error) {
      late = true;
      throw error;
    }
  }

  const run = (connection: DatabaseConnection, text: string) =>
    (connection as PooledConnection).executeQuery({ sql: text, parameters: [] } as never);

  return {
    async init() {},

    async acquireConnection(): Promise<PooledConnection> {
      try {
        return adapt(await connect());
      } catch (error) {
        const unavailable = databaseUnavailable(error);
        watch.failed('read', unavailable);
        throw unavailable;
      }
    },

    async beginTransaction(connection) {
      await run(connection, 'begin');
    },

    async commitTransaction(connection) {
      await run(connection, 'commit');
    },

    async rollbackTransaction(connection) {
      // A connection that is broken takes its transaction with it, and why it broke is what matters.
      if (!(connection as PooledConnection).broken) await run(connection, 'rollback');
    },

    async releaseConnection(connection) {
      const { raw, broken } = connection as PooledConnection;
      if (broken) raw.destroy();
      else raw.release();
    },

    destroy: () => pool.end(),
  };

  function adapt(raw: ServerConnection): PooledConnection {
    return {
      raw,
      broken: false,
      async executeQuery({ sql, parameters }) {
        try {
          return await watched(accessOf(sql), () => raw.query(sql, parameters));
        } catch (error) {
          if (error instanceof Unavailable) this.broken = true;
          throw error;
        }
      },
      async *streamQuery() {
        yield* [];
        throw new TypeError('nothing here streams');
      },
    };
  }
}
