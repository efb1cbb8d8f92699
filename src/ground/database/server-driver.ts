import { hash } from 'node:crypto';
import type { CompiledQuery, QueryResult } from 'kysely';
import { inTime } from '../faults/in-time.ts';
import { findRequester } from '../faults/requester.ts';
import type { StoreWatch } from '../faults/store-watch.ts';
import { createTurns } from '../faults/turns.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { accessOf, type EngineDriver, reportFailure, type StepTimeout, streamQuery } from './driver.ts';
import { databasePart, databaseUnavailable, wasRolledBack } from './errors.ts';
import { repeated } from './transaction.ts';

export interface ServerPool {
  /** The most connections that `connect` opens. The connection of `connectReader` does not count. */
  readonly size: number;
  connect(): Promise<ServerConnection>;
  /**
   * Opens a connection that sends each query at once, without waiting for the answers to earlier queries. One such connection serves the
   * reads of all requests. Undefined if there is no such connection.
   */
  connectReader?(): Promise<ServerConnection>;
  end(): Promise<void>;
}

export interface ServerConnection {
  /** @param name unique name of a statement that each connection prepares once */
  query(sql: string, parameters: readonly unknown[], name?: string): Promise<QueryResult<never>>;
  /** Tells whether new connections go to another server by now. Undefined if there is only one server. */
  isLeft?(): boolean;
  /** Returns the connection to the pool. A broken connection is closed at once, even during a query. */
  release(broken: boolean): void;
}

/** A wait for a connection. */
interface Wait {
  /** Ends the wait. */
  readonly leaving: AbortController;
  /** True while all connections are in use, and the wait is for a turn. */
  isForTurn?: boolean;
}

/** The most statements and transactions of a process that wait for a connection. */
export const mostWaitingForConnections = 1000;

/**
 * Creates the driver of a database server. Each step has a time limit, so that a request fails instead of hanging (ASVS 16.5.2). A failed
 * connection is not used again. Clients share the connections fairly. The clients of one network never hold all of them, because many of
 * their statements may wait inside the server for the lock of one row.
 */
export function createServerDriver(pool: ServerPool, timeout: StepTimeout, watch: StoreWatch): EngineDriver {
  let reader: Promise<Connection> | undefined;
  const turns = createTurns({ part: databasePart, atOnce: pool.size, waiting: mostWaitingForConnections });
  /** The most connections that one network holds. */
  const mostOfOne = Math.max(1, pool.size - 1);

  /** Waits for a turn, and then for a connection, which keeps the turn until its release. */
  function connectInTurn(wait: Wait): Promise<ServerConnection> {
    const connected = Promise.withResolvers<ServerConnection>();
    const requester = findRequester();
    const work =
      requester === undefined
        ? { places: [], parties: ['server'] }
        : { places: [{ key: requester[0], atOnce: mostOfOne }], parties: requester };
    async function hold(): Promise<void> {
      wait.isForTurn = false;
      const connection = await pool.connect();
      const released = Promise.withResolvers<void>();
      connected.resolve({
        ...connection,
        release(broken) {
          connection.release(broken);
          released.resolve();
        },
      });
      await released.promise;
    }
    wait.isForTurn = true;
    turns.take(work, hold, wait.leaving.signal).catch(connected.reject);
    return connected.promise;
  }

  async function acquire(connect: (wait: Wait) => Promise<ServerConnection> = connectInTurn): Promise<Connection> {
    const wait: Wait = { leaving: new AbortController() };
    const connecting = connect(wait);
    try {
      return adapt(await inTime(connecting, timeout.milliseconds));
    } catch (error) {
      const fault = wait.isForTurn ? new Error('no connection of DATABASE_CONNECTIONS became free') : error;
      wait.leaving.abort();
      // A connection that opens too late returns to the pool.
      connecting.then((connection) => connection.release(false)).catch(() => {});
      throw reportFailure(watch, 'read', databaseUnavailable(fault));
    }
  }

  function adapt(raw: ServerConnection) {
    let broken = false;
    let inTransaction = false;

    async function query(sql: string, parameters: readonly unknown[], name?: string) {
      const kind = accessOf(sql);
      try {
        const result = await inTime(raw.query(sql, parameters, name), timeout.milliseconds);
        watch.succeeded(kind);
        return result;
      } catch (error) {
        // The server works: it rolled the statement back in favor of another one. The connection can be used again.
        if (wasRolledBack(error)) throw databaseUnavailable(error);
        const reported = reportFailure(watch, kind, error);
        if (reported instanceof Unavailable) broken = true;
        throw reported;
      }
    }

    return {
      query,
      async begin() {
        await query('begin', []);
        inTransaction = true;
      },
      async end(how: 'commit' | 'rollback') {
        inTransaction = false;
        // A broken connection ends its transaction. A rollback would only hide the error that broke it.
        if (how === 'commit' || !broken) await query(how, []);
      },
      release: () => raw.release(broken),
      isLeft: () => raw.isLeft?.() === true,
      executeQuery: ({ sql, parameters }: CompiledQuery) =>
        inTransaction ? query(sql, parameters) : repeated(() => query(sql, parameters)),
      streamQuery,
    };
  }

  type Connection = ReturnType<typeof adapt>;

  async function read(sql: string, parameters: readonly string[], name: string) {
    const connection = await acquire();
    try {
      return await connection.query(sql, parameters, name);
    } finally {
      connection.release();
    }
  }

  async function readBesideOthers(sql: string, parameters: readonly string[], name: string) {
    reader ??= acquire(pool.connectReader);
    const used = reader;
    try {
      const connection = await used;
      if (!connection.isLeft()) return await connection.query(sql, parameters, name);
    } catch (error) {
      // The next read opens another connection.
      if (error instanceof Unavailable && reader === used) closeReader();
      throw error;
    }
    if (reader === used) closeReader();
    return readBesideOthers(sql, parameters, name);
  }

  function closeReader() {
    reader?.then((connection) => connection.release()).catch(() => {});
    reader = undefined;
  }

  return {
    prepareRead(sql) {
      // The same name in each process, because the processes share the connections of a PgBouncer.
      const name = `janua_${hash('sha256', sql, 'base64url')}`;
      const readRows = pool.connectReader ? readBesideOthers : read;
      return async (parameters) => (await readRows(sql, parameters, name)).rows;
    },
    async init() {},
    acquireConnection: () => acquire(),
    beginTransaction: (connection: Connection) => connection.begin(),
    commitTransaction: (connection: Connection) => connection.end('commit'),
    rollbackTransaction: (connection: Connection) => connection.end('rollback'),
    async releaseConnection(connection: Connection) {
      connection.release();
    },
    destroy() {
      closeReader();
      return pool.end();
    },
  };
}
