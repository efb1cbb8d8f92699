import { open } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { compose } from '../../src/compose.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import { openDatabase } from '../../src/ground/database/database.ts';
import { sql } from '../../src/ground/database/kysely.ts';
import { unwatched } from '../../src/ground/faults/store-watch.ts';
import type { Population, TableFile } from './population.ts';

/** Longest duration of one step, in milliseconds. */
const patience = 5 * 60 * 1000;

/** SQLite's cache during the filling, in KiB. It is large because consecutive rows belong to different pages of the indexes. */
const sqliteCache = 1024 * 1024;

/** Creates Janua's tables in an empty database and fills them. */
export async function fillDatabase(url: string, { users, sessions, others }: Population): Promise<void> {
  const settings = loadSettings({}, { DATABASE_URL: url, LOG_LEVEL: 'warn' });
  const composition = await compose(settings, { migrates: true });
  await composition.prepare();
  await composition.close();
  if (url.startsWith('sqlite:')) await fillFile(url.slice('sqlite:'.length), [users, sessions, ...others]);
  else await fillServer(url, [users, sessions, ...others]);
}

async function fillFile(path: string, files: readonly TableFile[]): Promise<void> {
  using database = new DatabaseSync(path);
  database.exec(`pragma synchronous = off; pragma cache_size = -${sqliteCache}; begin`);
  for (const { table, columns, path: source } of files) {
    const places = columns.map(() => '?').join();
    const insert = database.prepare(`insert into ${table} (${columns.join()}) values (${places})`);
    await using file = await open(source);
    for await (const line of file.readLines()) insert.run(...line.split('\t'));
  }
  database.exec('commit; pragma wal_checkpoint(truncate)');
}

/** Uses the server's bulk loading, which reads the file itself and is the fastest way. */
async function fillServer(url: string, files: readonly TableFile[]): Promise<void> {
  const opened = await openDatabase(url, { connections: 1, timeoutMilliseconds: patience, watch: unwatched });
  const { database, engine } = opened;
  try {
    for (const { table: name, columns, path } of files) {
      const table = sql.table(name);
      const names = sql.join(columns.map((column) => sql.ref(column)));
      if (engine === 'postgres') {
        await sql`copy ${table} (${names}) from ${sql.lit(path)}`.execute(database);
        // Otherwise autovacuum would do it later, in the middle of a measurement.
        await sql`vacuum analyze ${table}`.execute(database);
      } else {
        await sql`load data infile ${sql.lit(path)} into table ${table} character set utf8mb4 (${names})`.execute(
          database,
        );
        await sql`analyze table ${table}`.execute(database);
      }
    }
  } finally {
    await database.destroy();
  }
}
