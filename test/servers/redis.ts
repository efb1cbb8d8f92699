import { Redis } from 'ioredis';
import { findProgram } from './find-program.ts';
import { type ServerOptions, startServer, type ThrowAwayServer } from './throw-away-server.ts';

export interface RedisOptions extends ServerOptions {
  /** Valkey continues Redis under its old license, and takes the same arguments. */
  readonly program?: 'redis-server' | 'valkey-server';
}

/** The path of the Redis server on this machine. */
export function findRedis(name: 'redis-server' | 'valkey-server' = 'redis-server'): string | undefined {
  return findProgram(name);
}

/** Redis or Valkey without a password. It has many databases, because each test takes one. */
export async function startRedis(options: RedisOptions = {}): Promise<ThrowAwayServer> {
  const name = options.program ?? 'redis-server';
  const program = findRedis(name);
  if (program === undefined) throw new Error(`${name} is not installed`);
  const persistence = options.durable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  return startServer(
    {
      name,
      program,
      args: ({ data, port }) => [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', data, '--databases', '10000'],
        ...['--save', '', ...persistence],
      ],
      url: (port) => `redis://127.0.0.1:${port}/0`,
      async answers(url, _place, pid) {
        const redis = connectOnce(url);
        try {
          const information = await redis.info('server');
          return new RegExp(`^process_id:${pid}\\r?$`, 'm').test(information);
        } finally {
          redis.disconnect();
        }
      },
      stopSignal: 'SIGTERM',
      endSignal: 'SIGKILL',
    },
    options,
  );
}

/** A client that fails at once if there is no server. The time covers the work of this process before it sees the connection. */
export function connectOnce(url: string): Redis {
  const redis = new Redis(url, { connectTimeout: 60_000, maxRetriesPerRequest: 0, retryStrategy: () => null });
  redis.on('error', () => {});
  return redis;
}

/** Runs one command over its own connection. */
export async function ask({ url }: Pick<ThrowAwayServer, 'url'>, ...words: [string, ...string[]]): Promise<unknown> {
  const redis = connectOnce(url);
  try {
    return await redis.call(...words);
  } finally {
    redis.disconnect();
  }
}
