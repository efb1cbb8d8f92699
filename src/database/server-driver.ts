import type { DatabaseConnection, QueryResult } from 'kysely';
import { inTime } from '../faults/in-time.ts';
import type { AccessKind, StoreWatch } from '../faults/store-watch.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { accessOf } from './access.ts';
import { classify, databaseUnavailable } from './errors.ts';
import type { ReadingDriver } from './reading-driver.ts';

/** The common interface to the client libraries of PostgreSQL and MySQL. */
export interface ServerPool {
  connect(): Promise<ServerConnection>;
  end(): Promise<void>;
}

export interface ServerConnection {
  /** @param name unique name of a statement that each connection prepares once */
  query(sql: string, parameters: readonly unknown[], name?: string): Promise<QueryResult<never>>;
  release(): void;
  /** Closes the connection at once, even during a query. */
  destroy(): void;
}

/** Milliseconds that one step may take. Migrations need more than requests. */
export interface Patience {
  milliseconds: number;
}

interface PooledConnection extends DatabaseConnection {
  readonly query: ServerConnection['query'];
  release(): void;
  readonly broken: boolean;
}

/**
 * Kysely's driver for a database server. Every step ends within its time. If the server is frozen, gone or out of connections, a request
 * fails and never hangs (ASVS 16.5.2). A failed connection is never used again.
 */
export function createServerDriver(pool: ServerPool, patience: Patience, watch: StoreWatch): ReadingDriver {
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

  async function acquire(): Promise<PooledConnection> {
    const connecting = pool.connect();
    try {
      return adapt(await inTime(connecting, patience.milliseconds));
    } catch (error) {
      // A late connection goes back to the pool.
      connecting.then((connection) => connection.release()).catch(() => {});
      const unavailable = databaseUnavailable(error);
      watch.failed('read', unavailable);
      throw unavailable;
    }
  }

  const run = (connection: DatabaseConnection, text: string) => (connection as PooledConnection).query(text, []);
  let prepared = 0;

  return {
    prepareRead(sql) {
      prepared += 1;
      const name = `janua_${prepared}`;
      return async (parameters) => {
        const connection = await acquire();
        try {
          return (await connection.query(sql, parameters, name)).rows;
        } finally {
          connection.release();
        }
      };
    },

    async init() {},
    acquireConnection: acquire,

    async beginTransaction(connection) {
      await run(connection, 'begin');
    },

    async commitTransaction(connection) {
      await run(connection, 'commit');
    },

    async rollbackTransaction(connection) {
      // A broken connection ends its transaction. A rollback would only hide the error that broke it.
      if (!(connection as PooledConnection).broken) await run(connection, 'rollback');
    },

    async releaseConnection(connection) {
      (connection as PooledConnection).release();
    },

    destroy: () => pool.end(),
  };

  function adapt(raw: ServerConnection): PooledConnection {
    let broken = false;
    async function query(sql: string, parameters: readonly unknown[], name?: string) {
      try {
        return await watched(accessOf(sql), () => raw.query(sql, parameters, name));
      } catch (error) {
        if (error instanceof Unavailable) broken = true;
        throw error;
      }
    }
    return {
      query,
      release() {
        if (broken) raw.destroy();
        else raw.release();
      },
      get broken() {
        return broken;
      },
      executeQuery: ({ sql, parameters }) => query(sql, parameters),
      async *streamQuery() {
        yield* [];
        throw new TypeError('nothing here streams');
      },
    };
  }
}
