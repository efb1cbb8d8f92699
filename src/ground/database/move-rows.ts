import { setTimeout } from 'node:timers/promises';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { changing, copyRows, tableNames } from './copy-rows.ts';
import type { Database, OpenDatabase } from './database.ts';
import { inUse } from './errors.ts';
import { sql } from './kysely.ts';
import { inTransaction } from './transaction.ts';

/** The most milliseconds that one step may take, such as the count of a large table. */
const stepMilliseconds = 10 * 60 * 1000;

/** The name of the only group of an empty database. */
const firstGroup = 'admins';

/** `janua migrate` has filled these tables. The first one stays as it is, and the rows of the others are replaced. */
const filled = ['janua_migrations', 'janua_keys', 'janua_leases', 'janua_groups'] as const;

const [unmoved, ...replaced] = filled;

/**
 * Counts the other connections to the database. PostgreSQL hides the type of those of other accounts, but not their user, which its own
 * processes lack. MariaDB shows those that the account may see.
 */
const others = {
  postgres: sql<{ count: unknown }>`select count(*) as count from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
      and usesysid is not null and coalesce(backend_type, 'client backend') = 'client backend'`,
  mysql: sql<{ count: unknown }>`select count(*) as count from information_schema.processlist
    where db = database() and id <> connection_id()`,
};

/** Milliseconds for which the connections of a process that was just stopped may remain, and between two looks for them. */
const endingMilliseconds = 3000;
const lookInterval = 100;

/** @throws {Misconfiguration} while another process uses the database. An open SQLite file has a lock instead (`DatabaseOptions.alone`) */
export async function requireAlone({ database, engine }: OpenDatabase): Promise<void> {
  if (engine === 'sqlite') return;
  const deadline = performance.now() + endingMilliseconds;
  for (;;) {
    const { rows } = await others[engine].execute(database);
    if (Number(rows[0]?.count) === 0) return;
    if (performance.now() > deadline) throw new Misconfiguration(inUse);
    await setTimeout(lookInterval);
  }
}

const tableList = (end = sql``) => sql.join(tableNames.map((table) => sql`${sql.table(table)}${end}`));

/** Runs `work` while no other connection can write to our tables. A server that starts meanwhile answers 503 to what writes. */
const withoutWriters: Record<
  OpenDatabase['engine'],
  (database: Database, work: (db: Database) => Promise<void>) => Promise<void>
> = {
  sqlite: (database, work) => work(database),
  postgres: (database, work) =>
    inTransaction(database, async (db) => {
      await sql`lock table ${tableList()} in share mode`.execute(db);
      await work(db);
    }),
  mysql: (database, work) =>
    database.connection().execute(async (db) => {
      await sql`lock tables ${tableList(sql` read`)}`.execute(db);
      try {
        await work(db);
      } finally {
        await sql`unlock tables`.execute(db);
      }
    }),
};

/** @throws {Misconfiguration} with the number of rows of each table, if there are others than those of `janua migrate` */
async function requireEmpty(db: Database): Promise<void> {
  const found: string[] = [];
  for (const table of tableNames) {
    if (filled.some((name) => name === table) && table !== 'janua_groups') continue;
    const { rows } = await sql<{ count: unknown }>`select count(*) as count from ${sql.table(table)}`.execute(db);
    const count = Number(rows[0]?.count);
    if (count > 0) found.push(`${table}: ${count}`);
  }
  if (found.length > 0)
    throw new Misconfiguration({
      message: `The other database is not empty (rows of ${found.join(', ')}). Nothing was moved.`,
      fix: 'Name a new database that nothing but `janua migrate` has used.',
    });
}

/**
 * Copies all rows into an empty, migrated database, in one transaction there, and compares the values of each table.
 * @param finish further work in the transaction, once the rows are compared
 * @returns the number of rows of each table
 * @throws {Misconfiguration} if the other database has rows, or cannot store one. It is then as before
 */
export async function moveRows(
  from: OpenDatabase,
  to: OpenDatabase,
  finish: (db: Database) => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const copyAll = (source: Database) =>
    inTransaction(to.database, async (db) => {
      // Locks the row, so that of two moves into one database, the second waits, and then finds the rows of the first.
      await changing('janua_groups', () => db.deleteFrom('janua_groups').where('name', '=', firstGroup).execute());
      await requireEmpty(db);
      for (const table of replaced) await changing(table, () => db.deleteFrom(table).execute());
      for (const table of tableNames) if (table !== unmoved) counts.set(table, await copyRows(source, db, table));
      await finish(db);
    });
  await from.withTimeout(stepMilliseconds, () =>
    to.withTimeout(stepMilliseconds, () => withoutWriters[from.engine](from.database, copyAll)),
  );
  return counts;
}
