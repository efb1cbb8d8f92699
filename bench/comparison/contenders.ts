import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { findPostgres, startPostgres } from '../../test/servers/postgres.ts';
import { findRedis, startRedis } from '../../test/servers/redis.ts';
import type { Ask } from '../client.ts';
import { type Answer, cookieField, exchangeOnce, fieldsOf, getRequest, loginRequest, postRequest } from '../http.ts';
import { januaWith, type ServerCommand, type Settings } from '../processes.ts';
import { createFolder, createWorkspace, inventUsers, password } from '../workspace.ts';

/** The names of the contenders in the tables. */
export const names = {
  sqlite: 'Janua, SQLite',
  redis: 'Janua, Redis + SQLite',
  postgres: 'Janua, Redis + PostgreSQL',
  postgresAlone: 'Janua, PostgreSQL',
  express: 'express-session + passport, Redis',
  betterAuth: 'better-auth, node:sqlite',
  bare: 'bare Fastify route',
  argon2: 'argon2 alone',
  logging: 'Janua, SQLite, LOG_LEVEL=info',
  ownRoute: 'better-auth, getSession in a custom route',
  cookieCache: 'better-auth with its cookie cache',
  scrypt: 'better-auth with its default scrypt',
} as const;

export type Name = (typeof names)[keyof typeof names];

/** A kind of measurement. */
export type Work = 'cookie' | 'token' | 'page' | 'login' | 'storm' | 'start';

const allWork: readonly Work[] = ['cookie', 'token', 'page', 'login', 'storm', 'start'];

/** The paths and formats that a kind of server uses. */
interface Dialect {
  /** A path that answers 200 without a session, if `me` does not. */
  readonly health?: string;
  /** The path that tells the signed-in user. */
  readonly me: string;
  readonly page?: string;
  readonly login?: (username: string) => string;
  /** Text that the response to a login contains. */
  readonly loggedIn?: string;
  /** Reads the access token from the response to a login. */
  readonly tokenIn?: (answer: Answer) => string | undefined;
}

const janua: Dialect = {
  me: '/api/me',
  page: '/auth/login',
  login: (username) => loginRequest(username, password),
  loggedIn: '"access_token":"',
  tokenIn: ({ body }) => JSON.parse(body.toString()).access_token,
};

const express: Dialect = {
  health: '/health',
  me: '/me',
  login: (username) => loginRequest(username, password, '/login'),
  loggedIn: 'Logged in',
};

/** Uses the endpoints that better-auth's client calls, and the header of its bearer plugin. */
const betterAuth: Dialect = {
  health: '/api/auth/ok',
  me: '/api/auth/get-session',
  login: (email) => postRequest('/api/auth/sign-in/email', { email, password }),
  loggedIn: '"user":{',
  tokenIn: ({ head }) => fieldsOf(head, 'set-auth-token')[0],
};

/** A server to measure. It is not started yet. */
export interface Contender {
  readonly name: Name;
  readonly dialect: Dialect;
  readonly works: readonly Work[];
  /** Number of store servers that it uses. */
  readonly storeServers: number;
  readonly command: ServerCommand;
  /** Whether its process has to add the users. Those of Janua are in its stores. */
  readonly needsUsers: boolean;
}

export type PeerTasks = {
  addUsers(usernames: readonly string[], password: string): Promise<void>;
};

export const usernames = inventUsers(16);

/**
 * Prepares Janua and its peers. Each has its own stores.
 * @param stack ends the store servers
 * @param hasPeers whether the peers' packages are installed
 */
export async function createContenders(stack: AsyncDisposableStack, hasPeers: boolean): Promise<Contender[]> {
  const redis = findRedis() === undefined ? undefined : stack.use(await startRedis());
  const hasPostgres = findPostgres() !== undefined;
  if (redis === undefined) console.log('redis-server is not installed. The bench skips the measurements that need it.');
  if (!hasPostgres) console.log('PostgreSQL is not installed. The bench skips the measurements that need it.');
  const inRedis = (database: number) => ({ REDIS_URL: redis?.url.replace(/\d+$/, String(database)) ?? '' });
  // PostgreSQL waits for the disk at each commit, as it does by default.
  const inPostgres = async () => ({ DATABASE_URL: stack.use(await startPostgres({ durable: true })).url });

  const contenders: (Contender | false)[] = [
    await createJanua(names.sqlite),
    redis !== undefined && (await createJanua(names.redis, allWork, inRedis(0))),
    redis !== undefined &&
      hasPostgres &&
      (await createJanua(names.postgres, allWork, { ...(await inPostgres()), ...inRedis(1) })),
    hasPostgres && (await createJanua(names.postgresAlone, ['cookie', 'token'], await inPostgres())),
    redis !== undefined && createPeer(names.express, 'express-passport', express, allWork, inRedis(2)),
    createPeer(names.betterAuth, 'better-auth', betterAuth),
    createPeer(names.ownRoute, 'better-auth', { ...betterAuth, me: '/me' }, ['cookie', 'token']),
    createPeer(names.cookieCache, 'better-auth', betterAuth, ['cookie'], { COOKIE_CACHE: 'on' }),
    createPeer(names.scrypt, 'better-auth', betterAuth, ['login'], { OWN_HASH: 'on' }),
    createForeign(names.bare, './servers/bare.ts', { me: '/' }, ['cookie', 'start'], {}),
    await createJanua(names.logging, ['cookie'], {}, { LOG_LEVEL: 'info' }),
  ];
  return contenders.filter((contender) => contender !== false).filter(({ needsUsers }) => hasPeers || !needsUsers);
}

async function createJanua(
  name: Name,
  works = allWork,
  stores: Settings = {},
  others: Settings = {},
): Promise<Contender> {
  const { settings } = await createWorkspace(usernames.length, stores);
  const command = januaWith({ ...settings, ...others });
  return { name, dialect: janua, works, storeServers: Object.keys(stores).length, command, needsUsers: false };
}

function createPeer(name: Name, file: string, dialect: Dialect, works = allWork, others: Settings = {}): Contender {
  const secret = randomBytes(32).toString('base64');
  const database = { DATABASE_FILE: join(createFolder(), 'peer.db') };
  const settings = { ...database, SESSION_SECRET: secret, BETTER_AUTH_SECRET: secret, ...others };
  return { ...createForeign(name, `./peers/${file}.mjs`, dialect, works, settings), needsUsers: true };
}

/** Prepares a server that is not Janua. It runs with NODE_ENV=production and Node's default flags. */
function createForeign(
  name: Name,
  file: string,
  dialect: Dialect,
  works: readonly Work[],
  others: Settings,
): Contender {
  const settings = { NODE_ENV: 'production', ...others };
  const command = { file, settings, isForeign: true, health: dialect.health ?? dialect.me };
  return { name, dialect, works, storeServers: 'REDIS_URL' in others ? 1 : 0, command, needsUsers: false };
}

/** The requests that measure a server. A server without tokens, a login page or logins lacks those requests. */
export type Asks = { readonly cookie: Ask } & Partial<Readonly<Record<'token' | 'page' | 'login', Ask>>>;

/**
 * Logs the first user in, and checks each credential with a request. The logins to measure are of the others, because they would end the
 * first user's session: a user's sessions are limited.
 * @throws if the server does not recognize the user by the cookie or the token
 */
export async function signIn(port: number, { me, page, login, loggedIn = '', tokenIn }: Dialect): Promise<Asks> {
  const [username = '', ...others] = usernames;
  const pageAsk = page === undefined ? {} : { page: { requests: [getRequest(page)], expected: 'name="password"' } };
  if (login === undefined) return { cookie: { requests: [getRequest(me)], expected: '"username":"' }, ...pageAsk };

  async function exchange(request: string, expected: string): Promise<Answer> {
    const answer = await exchangeOnce(port, request);
    const { status, body } = answer;
    if (status === 200 && body.includes(expected)) return answer;
    throw new Error(`${request.split('\r\n')[0]}: expected 200 and ${expected}, got ${status}: ${body.toString()}`);
  }
  const answer = await exchange(login(username), loggedIn);
  const askWith = (field: string): Ask => ({ requests: [getRequest(me, field)], expected: `"${username}"` });
  const token = tokenIn?.(answer);
  const asks = {
    cookie: askWith(cookieField(answer)),
    ...(token === undefined ? {} : { token: askWith(`Authorization: Bearer ${token}`) }),
  };
  for (const { requests, expected } of Object.values(asks)) await exchange(requests[0] ?? '', expected);
  return { ...asks, ...pageAsk, login: { requests: others.map(login), expected: loggedIn } };
}
