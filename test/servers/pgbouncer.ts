import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { findProgram } from './find-program.ts';
import { findAccount, startServer, type ThrowAwayServer } from './throw-away-server.ts';

/** The path of PgBouncer on this machine. */
export const findPgbouncer = (): string | undefined => findProgram('pgbouncer');

/** A PgBouncer in front of a database. @param url of the database @param mode what its clients take turns by */
export async function startPgbouncer(url: string, mode: 'session' | 'transaction'): Promise<ThrowAwayServer> {
  const program = findPgbouncer();
  if (program === undefined) throw new Error('PgBouncer is not installed');
  const { hostname, port: serverPort, pathname } = new URL(url);
  return startServer(
    {
      name: 'pgbouncer',
      program,
      account: findAccount('postgres', 'nobody'),
      args({ home, port }) {
        const file = join(home, 'pgbouncer.ini');
        const settings = {
          ...{ listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', auth_type: 'any' },
          ...{ pool_mode: mode, default_pool_size: 8, ignore_startup_parameters: 'extra_float_digits' },
        };
        const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
        const target = `host=${hostname} port=${serverPort} user=postgres`;
        writeFileSync(file, `[databases]\n* = ${target}\n[pgbouncer]\n${lines.join('')}`);
        return [file];
      },
      url: (port) => `postgres://postgres@127.0.0.1:${port}${pathname}`,
      async answers(own) {
        const client = new Client({ connectionString: own, connectionTimeoutMillis: 1_000 });
        client.on('error', () => {});
        try {
          await client.connect();
          return true;
        } finally {
          await client.end().catch(() => {});
        }
      },
      stopSignal: 'SIGINT',
      endSignal: 'SIGQUIT',
    },
    {},
  );
}
