import { isIP } from 'node:net';
import { promisify } from 'node:util';
import type { QueryResult } from 'kysely';
import mysql, { createPool, type PoolConnection, type PoolOptions, type ResultSetHeader } from 'mysql2';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { StoreWatch } from '../faults/store-watch.ts';
import { bareHost } from '../text/networks.ts';
import { type EngineDriver, mostPrepared, type StepTimeout } from './driver.ts';
import { createServerDriver, type ServerConnection } from './server-driver.ts';

const atConnect = [
  // The same isolation as on PostgreSQL, so that a read after a lock sees the newest rows.
  'set session transaction isolation level read committed',
  // A node of a Galera cluster applies a write some time after another node has acknowledged it. Reads (1), updates and deletes (2) wait
  // until the node has applied it.
  'set session wsrep_sync_wait = 3',
];

/** MySQL's error for an unknown variable. MySQL has no `wsrep_sync_wait`. */
const unknownVariable = 1193;

/**
 * Opens MySQL or MariaDB. `?ssl=on` requires TLS with a verified certificate, `?socket=PATH` a local socket.
 * @throws {Misconfiguration} for other options
 */
export function openMysql(url: string, connections: number, timeout: StepTimeout, watch: StoreWatch): EngineDriver {
  const limits = {
    connectionLimit: connections,
    connectTimeout: timeout.milliseconds,
    maxPreparedStatements: mostPrepared,
  };
  const pool = createPool({ ...readUrl(url), ...limits });
  pool.on('connection', (connection) => {
    for (const statement of atConnect)
      connection.query(statement, (error) => {
        if (error && error.errno !== unknownVariable) connection.destroy();
      });
  });
  const getConnection = promisify(pool.getConnection).bind(pool);
  const connect = async () => adapt(await getConnection());
  return createServerDriver({ size: connections, connect, end: promisify(pool.end).bind(pool) }, timeout, watch);
}

function readUrl(text: string): PoolOptions {
  const { hostname, port, username, password, pathname, searchParams } = new URL(text);
  const { ssl = 'off', socket, ...unknown } = Object.fromEntries(searchParams);
  const database = decodeURIComponent(pathname.slice(1));
  const host = bareHost(hostname);
  if (Object.keys(unknown).length > 0 || !['on', 'off'].includes(ssl)) {
    throw new Misconfiguration(
      'DATABASE_URL must be mysql://USER:PASSWORD@HOST:PORT/DATABASE; ?ssl=on and ?socket=PATH may follow.',
    );
  }
  if (ssl === 'on' && isIP(host) !== 0) {
    throw new Misconfiguration(
      'DATABASE_URL: with ?ssl=on the host must be a name, because Janua checks that the certificate is for that name.',
    );
  }
  return {
    host,
    port: port === '' ? 3306 : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database,
    charset: 'utf8mb4',
    ...(socket === undefined ? {} : { socketPath: socket }),
    ...(ssl === 'on' ? { ssl: { verifyIdentity: true } } : {}),
  };
}

function adapt(connection: PoolConnection): ServerConnection {
  return {
    async query(sql, parameters) {
      const { promise, resolve, reject } = Promise.withResolvers<QueryResult<never>>();
      const answer = (error: Error | null, result: unknown) => (error ? reject(error) : resolve(toResult(result)));
      // A query with parameters is a prepared statement. The parameters never become part of its text, in any sql_mode of the server.
      if (parameters.length === 0) connection.query(sql, answer as never);
      else connection.execute(sql, parameters.map(toParameter), answer as never);
      return promise;
    },
    release: (broken) => (broken ? connection.destroy() : connection.release()),
  };
}

/**
 * Converts a parameter. By default, mysql2 sends numbers as floating point, or as text where the server doesn't name a type. TiDB accepts
 * neither for LIMIT.
 */
function toParameter(value: unknown) {
  if (typeof value === 'bigint' || Number.isSafeInteger(value))
    return mysql.TypedParameter.BIGINT(value as bigint | number);
  return value === null || value === undefined ? null : String(value);
}

function toResult(result: unknown): QueryResult<never> {
  if (Array.isArray(result)) return { rows: result as never[] };
  return { rows: [], numAffectedRows: BigInt((result as ResultSetHeader).affectedRows) };
}
