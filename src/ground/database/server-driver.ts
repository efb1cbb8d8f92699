import type { CompiledQuery, QueryResult } from 'kysely';
import { inTime } from '../faults/in-time.ts';
import type { StoreWatch } from '../faults/store-watch.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { accessOf, type EngineDriver, reportFailure, type StepTimeout, streamQuery } from './driver.ts';
import { databaseUnavailable } from './errors.ts';

export interface ServerPool {
  connect(): Promise<ServerConnection>;
  end(): Promise<void>;
}

export interface ServerConnection {
  /** @param name unique name of a statement that each connection prepares once */
  query(sql: string, parameters: readonly unknown[], name?: string): Promise<QueryResult<never>>;
  /** Gives the connection back to the pool. A broken one is closed at once, even during a query. */
  release(broken: boolean): void;
}

/** Each step ends in time: a request fails and never hangs (ASVS 16.5.2). A failed connection is not used again. */
export function createServerDriver(pool: ServerPool, timeout: StepTimeout, watch: StoreWatch): EngineDriver {
  let prepared = 0;

  async function acquire(): Promise<Connection> {
    const connecting = pool.connect();
    try {
      return adapt(await inTime(connecting, timeout.milliseconds));
    } catch (error) {
      // A late connection goes back to the pool.
      connecting.then((connection) => connection.release(false)).catch(() => {});
      throw reportFailure(watch, 'read', databaseUnavailable(error));
    }
  }

  function adapt(raw: ServerConnection) {
    let broken = false;
    async function query(sql: string, parameters: readonly unknown[], name?: string) {
      const kind = accessOf(sql);
      try {
        const result = await inTime(raw.query(sql, parameters, name), timeout.milliseconds);
        watch.succeeded(kind);
        return result;
      } catch (error) {
        const reported = reportFailure(watch, kind, error);
        if (reported instanceof Unavailable) broken = true;
        throw reported;
      }
    }
    return {
      query,
      release: () => raw.release(broken),
      get broken() {
        return broken;
      },
      executeQuery: ({ sql, parameters }: CompiledQuery) => query(sql, parameters),
      streamQuery,
    };
  }

  type Connection = ReturnType<typeof adapt>;

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
    async beginTransaction({ query }: Connection) {
      await query('begin', []);
    },
    async commitTransaction({ query }: Connection) {
      await query('commit', []);
    },
    async rollbackTransaction({ broken, query }: Connection) {
      // A broken connection ends its transaction. A rollback would only hide the error that broke it.
      if (!broken) await query('rollback', []);
    },
    async releaseConnection(connection: Connection) {
      connection.release();
    },
    destroy: () => pool.end(),
  };
}
