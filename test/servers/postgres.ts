import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { findProgram } from './find-program.ts';
import { findAccount, runAs, type ServerOptions, startServer, type ThrowAwayServer } from './throw-away-server.ts';

/** Debian's folder for the programs of each version, which are not on the path. */
const versions = '/usr/lib/postgresql';

/** Fast settings, which lose data in a power cut or a crash. */
const careless = ['fsync=off', 'full_page_writes=off', 'synchronous_commit=off'];

/** The path of the newest PostgreSQL server on this machine. */
export function findPostgres(): string | undefined {
  const newest = existsSync(versions) ? readdirSync(versions).toSorted((a, b) => Number(b) - Number(a)) : [];
  return findProgram(
    'postgres',
    newest.map((version) => join(versions, version, 'bin')),
  );
}

/** PostgreSQL with the account `postgres`, which has all rights and no password. */
export async function startPostgres(options: ServerOptions = {}): Promise<ThrowAwayServer> {
  const program = findPostgres();
  if (program === undefined) throw new Error('PostgreSQL is not installed');
  const account = findAccount('postgres', 'nobody');
  return startServer(
    {
      name: 'postgres',
      program,
      account,
      initialise: (folder) =>
        runAs(account, join(program, '../initdb'), [
          ...['-D', folder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8'],
          // As with most users, texts are ordered by the rules of a language.
          ...['--locale-provider=icu', '--icu-locale=en'],
          ...['--no-sync', '--no-instructions'],
        ]),
      args: ({ data, port }) => [
        ...['-D', data, '-p', String(port)],
        ...[
          'listen_addresses=127.0.0.1',
          'unix_socket_directories=',
          'max_connections=300',
          'shared_buffers=32MB',
          'max_wal_size=128MB',
          // Otherwise a killed server leaves files outside of its folder.
          'dynamic_shared_memory_type=mmap',
          ...(options.durable ? [] : careless),
        ].flatMap((setting) => ['-c', setting]),
      ],
      url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
      async answers(url, { data }) {
        const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
        client.on('error', () => {});
        try {
          await client.connect();
          const { rows } = await client.query(`select current_setting('data_directory') as folder`);
          return rows[0]?.folder === data;
        } finally {
          await client.end().catch(() => {});
        }
      },
      stopSignal: 'SIGINT',
      endSignal: 'SIGQUIT',
    },
    options,
  );
}
