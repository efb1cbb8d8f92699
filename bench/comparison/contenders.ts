import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPostgres, startPostgres } from '../../test/servers/postgres.ts';
import { findRedis, startRedis } from '../../test/servers/redis.ts';
import type { Command } from '../measures/start.ts';
import { type Child, ownRuntime, plainRuntime, type Settings, startChild } from '../processes/parent.ts';
import type { PeerTasks, ServerTasks } from '../processes/server-tasks.ts';
import { createFolder, createWorkspace, inventUsers, type Users } from '../workspace.ts';
import { bare, betterAuth, betterAuthOwnRoute, type Dialect, expressPassport, janua } from './dialects.ts';
import { type Name, names } from './names.ts';

/** A kind of measurement. */
export type Work = 'cookie' | 'token' | 'page' | 'login' | 'storm' | 'start';

const allWork: readonly Work[] = ['cookie', 'token', 'page', 'login', 'storm', 'start'];

/** A server to measure. It is not started yet, and its stores contain users. */
export interface Contender {
  readonly name: Name;
  readonly dialect: Dialect;
  readonly users: Users;
  readonly works: readonly Work[];
  /** Number of store servers that it uses. */
  readonly storeServers: number;
  readonly command: Command;
  /** Starts it as a process that reports its CPU and memory. */
  start(): Child<ServerTasks>;
}

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const fileOf = (path: string) => fileURLToPath(new URL(`../processes/${path}`, import.meta.url));

/** Number of users of each server. */
const userCount = 16;

/**
 * Prepares Janua and its peers. Each has its own stores.
 * @param stack ends the store servers
 * @param hasPeers whether the peers' packages are installed
 */
export async function createContenders(stack: AsyncDisposableStack, hasPeers: boolean): Promise<Contender[]> {
  const { redisUrl, postgresUrl } = await startStores(stack);
  const withRedis = redisUrl !== undefined;
  return [
    await createJanua(names.sqlite, {}),
    ...(withRedis ? [await createJanua(names.redis, { REDIS_URL: redisUrl(0) })] : []),
    ...(withRedis && postgresUrl !== undefined
      ? [await createJanua(names.postgres, { DATABASE_URL: await postgresUrl(), REDIS_URL: redisUrl(1) })]
      : []),
    ...(postgresUrl === undefined ? [] : [await createPostgres(await postgresUrl())]),
    ...(withRedis && hasPeers ? [await createExpress(redisUrl(2))] : []),
    ...(hasPeers
      ? [
          await createBetterAuth(names.betterAuth, allWork),
          { ...(await createBetterAuth(names.ownRoute, ['cookie', 'token'])), dialect: betterAuthOwnRoute },
          await createBetterAuth(names.cookieCache, ['cookie'], { COOKIE_CACHE: 'on' }),
          await createBetterAuth(names.scrypt, ['login'], { OWN_HASH: 'on' }),
        ]
      : []),
    createBare(),
    { ...(await createJanua(names.logging, {}, { LOG_LEVEL: 'info' })), works: ['cookie'] },
  ];
}

/** Each contender gets its own database of one Redis server, and its own PostgreSQL server. Undefined if the server is not installed. */
interface Stores {
  readonly redisUrl: ((database: number) => string) | undefined;
  readonly postgresUrl: (() => Promise<string>) | undefined;
}

async function startStores(stack: AsyncDisposableStack): Promise<Stores> {
  const redis = findRedis() === undefined ? undefined : stack.use(await startRedis());
  // PostgreSQL waits for the disk at each commit, as it does by default.
  const postgresUrl = async () => stack.use(await startPostgres({ durable: true })).url;
  const hasPostgres = findPostgres() !== undefined;
  if (redis === undefined) console.log('redis-server is not installed. The bench skips the measurements that need it.');
  if (!hasPostgres) console.log('PostgreSQL is not installed. The bench skips the measurements that need it.');
  return {
    redisUrl: redis && ((database) => redis.url.replace(/\d+$/, String(database))),
    postgresUrl: hasPostgres ? postgresUrl : undefined,
  };
}

async function createJanua(name: Name, stores: Settings, others: Settings = {}): Promise<Contender> {
  const workspace = await createWorkspace(userCount, stores);
  const settings = { ...workspace.settings, ...others };
  return {
    name,
    dialect: janua,
    users: workspace,
    works: allWork,
    storeServers: Object.keys(stores).length,
    command: { args: [cli, 'serve'], runtime: ownRuntime, settings, health: janua.health },
    start: () => startChild<ServerTasks>('./janua.ts', settings),
  };
}

async function createPostgres(url: string): Promise<Contender> {
  return { ...(await createJanua(names.postgresAlone, { DATABASE_URL: url })), works: ['cookie', 'token'] };
}

const createExpress = (redisUrl: string) =>
  createPeer(names.express, '../peers/express-passport.mjs', expressPassport, allWork, {
    REDIS_URL: redisUrl,
    SESSION_SECRET: randomBytes(32).toString('base64'),
  });

const createBetterAuth = (name: Name, works: readonly Work[], settings: Settings = {}) =>
  createPeer(name, '../peers/better-auth.mjs', betterAuth, works, {
    BETTER_AUTH_SECRET: randomBytes(32).toString('base64'),
    ...settings,
  });

async function createPeer(
  name: Name,
  path: string,
  dialect: Dialect,
  works: readonly Work[],
  settings: Settings,
): Promise<Contender> {
  const users = inventUsers(userCount);
  const peer = createForeign(name, path, dialect, users, works, {
    DATABASE_FILE: join(createFolder(), 'peer.db'),
    ...settings,
  });
  await using filling = startChild<PeerTasks>(path, peer.command.settings, plainRuntime);
  await filling.ask('addUsers', users.usernames, users.password);
  return peer;
}

const createBare = () => createForeign(names.bare, './bare.ts', bare, inventUsers(userCount), ['cookie', 'start'], {});

/** Prepares a server that is not Janua. It runs with NODE_ENV=production and Node's default flags. */
function createForeign(
  name: Name,
  path: string,
  dialect: Dialect,
  users: Users,
  works: readonly Work[],
  others: Settings,
): Contender {
  const settings = { NODE_ENV: 'production', PORT: '0', ...others };
  return {
    name,
    dialect,
    users,
    works,
    storeServers: 'REDIS_URL' in others ? 1 : 0,
    command: { args: [fileOf(path)], runtime: plainRuntime, settings, health: dialect.health },
    start: () => startChild<ServerTasks>(path, settings, plainRuntime),
  };
}
