import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { findProgram } from './find-program.ts';
import { type Account, runAs, type ServerOptions, startServer, type ThrowAwayServer } from './throw-away-server.ts';

/** Small files. The installer and the server need the same values. */
const files = [
  '--innodb-log-file-size=8M',
  '--innodb-undo-tablespaces=0',
  '--innodb-data-file-path=ibdata1:10M:autoextend',
];

/** Fast settings, which lose data in a power cut or a crash. */
const careless = ['--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=0'];

/** The path of the MariaDB server on this machine. */
export function findMariadb(): string | undefined {
  return findProgram('mariadbd');
}

/**
 * MariaDB with the account `root`, which has all rights and no password.
 * @param account of the operating system, in place of ours
 */
export async function startMariadb(options: ServerOptions = {}, account?: Account): Promise<ThrowAwayServer> {
  const program = findMariadb();
  const installer = findProgram('mariadb-install-db');
  if (program === undefined || installer === undefined) throw new Error('MariaDB is not installed');
  // As root, MariaDB runs only with this option.
  const user = account === undefined && process.getuid?.() === 0 ? ['--user=root'] : [];
  return startServer(
    {
      // The name is also that of the template, whose files belong to the account.
      name: account === undefined ? 'mariadb' : `mariadb-of-${account.uid}`,
      program,
      account,
      async initialise(folder) {
        await runAs(account, installer, [
          ...['--no-defaults', ...user, `--datadir=${folder}`, ...files, ...careless],
          ...['--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve'],
        ]);
        // A folder is a database. This one is for URLs that have to name a database.
        await mkdir(join(folder, 'empty'));
      },
      args: ({ data, home, port }) => [
        ...['--no-defaults', ...user, `--datadir=${data}`, ...files],
        ...[`--port=${port}`, '--bind-address=127.0.0.1', '--skip-networking=0', '--skip-name-resolve'],
        ...[`--socket=${join(home, 'socket')}`, `--pid-file=${join(home, 'pid')}`, `--tmpdir=${home}`],
        ...['--max-connections=300', '--innodb-buffer-pool-size=32M', '--aria-pagecache-buffer-size=1M'],
        ...(options.durable ? [] : careless),
      ],
      url: (port) => `mysql://root@127.0.0.1:${port}/empty`,
      async answers(url, { home }) {
        const connection = await createConnection({ uri: url, connectTimeout: 1_000 });
        connection.on('error', () => {});
        try {
          const [rows] = await connection.query('select @@pid_file as file');
          return Array.isArray(rows) && JSON.stringify(rows[0]) === JSON.stringify({ file: join(home, 'pid') });
        } finally {
          connection.destroy();
        }
      },
      stopSignal: 'SIGTERM',
      endSignal: 'SIGKILL',
    },
    options,
  );
}
