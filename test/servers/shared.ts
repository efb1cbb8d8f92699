import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { startMariadb } from './mariadb.ts';
import { startPostgres } from './postgres.ts';
import { connectOnce, startRedis } from './redis.ts';
import type { ThrowAwayServer } from './throw-away-server.ts';

/** The environment variables by which the whole run shares one server of each kind. */
export const sharedServerVariables = {
  postgres: 'JANUA_TEST_POSTGRES_URL',
  mariadb: 'JANUA_TEST_MARIADB_URL',
  redis: 'JANUA_TEST_REDIS_URL',
} as const;

/**
 * URLs of the servers that all tests share, with accounts that have all rights. A test file that runs alone
 * starts the servers that it asks for, and they end with its process.
 */
export const sharedServers = {
  postgres: share(sharedServerVariables.postgres, startPostgres),
  mariadb: share(sharedServerVariables.mariadb, startMariadb),
  redis: share(sharedServerVariables.redis, startRedis),
};

function share(variable: string, start: () => Promise<ThrowAwayServer>): () => Promise<string> {
  let started: Promise<ThrowAwayServer> | undefined;
  return async () => {
    const url = process.env[variable];
    if (url) return url;
    started ??= start();
    return (await started).url;
  };
}

/** A part of a shared server for one test. */
export interface OwnDatabase {
  readonly url: string;
  /** Removes all its data. Closes connections to it if the server would wait for them. */
  drop(): Promise<void>;
}

/** The URL of a database of a server. */
export const urlIn = (server: string, name: string) => Object.assign(new URL(server), { pathname: name }).href;

/** Runs a statement on a server. */
export const executeIn = { postgres: executeInPostgres, mariadb: executeInMariadb };

export type ServerEngine = keyof typeof executeIn;

/** Creates an empty database. @param like what follows the name in the statement */
export async function createDatabase(engine: ServerEngine, like = ''): Promise<OwnDatabase> {
  const server = await sharedServers[engine]();
  const name = `test_${randomBytes(8).toString('hex')}`;
  await executeIn[engine](server, `create database ${name} ${like}`);
  return {
    url: urlIn(server, name),
    drop: () => executeIn[engine](server, `drop database ${name}${engine === 'postgres' ? ' with (force)' : ''}`),
  };
}

async function executeInPostgres(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function executeInMariadb(url: string, statement: string): Promise<void> {
  const connection = await createConnection(url);
  try {
    await connection.query(statement);
  } finally {
    await connection.end();
  }
}

/** The number of databases of a shared Redis besides number 0, which counts the taken ones. */
const redisDatabases = 9_999;

/** Takes an empty Redis database that no other test uses. */
export async function createRedisDatabase(): Promise<OwnDatabase> {
  const server = await sharedServers.redis();
  const counter = connectOnce(server);
  try {
    const taken = await counter.incr('test-databases');
    const url = urlIn(server, String(((taken - 1) % redisDatabases) + 1));
    return { url, drop: () => flush(url) };
  } finally {
    counter.disconnect();
  }
}

async function flush(url: string): Promise<void> {
  const redis = connectOnce(url);
  try {
    await redis.flushdb();
  } finally {
    redis.disconnect();
  }
}
