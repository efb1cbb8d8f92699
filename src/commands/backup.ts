import { loadSettings } from '../ground/config/load.ts';
import { backUpSqlite } from '../ground/database/backup.ts';
import { engineOf } from '../ground/database/database.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';

export async function backup(file: string): Promise<void> {
  const { DATABASE_URL, REDIS_URL } = loadSettings();
  if (engineOf(DATABASE_URL) !== 'sqlite')
    throw new Misconfiguration('DATABASE_URL names no SQLite file. Use pg_dump or mariadb-dump for a database server.');
  await backUpSqlite(DATABASE_URL.slice('sqlite:'.length), file);
  process.stdout.write(`The database is in ${file}.\n`);
  if (REDIS_URL !== undefined) process.stdout.write('The copy has no sessions, because they are in Redis.\n');
}
