import { setTimeout } from 'node:timers/promises';
import type { KyselyPlugin } from 'kysely';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { Unavailable } from '../faults/unavailable.ts';
import type { Database, OpenDatabase } from './database.ts';
import { databaseUnavailable, isMissingTable } from './errors.ts';
import { type Kysely, Migrator, sql } from './kysely.ts';
import { holdLease } from './lease.ts';
import { createTableChanges, type MigrationStep } from './migration-step.ts';
import { up as noteAppliedFiles } from './migrations/0.3-applied-files.ts';
import { up as addClaims } from './migrations/0.3-claims.ts';
import { up as listSecrets } from './migrations/0.3-client-secrets.ts';
import { up as addExchanges } from './migrations/0.3-exchanges.ts';
import { up as upgradeFrom02 } from './migrations/0.3-from-0.2.ts';
import { up as addHandles } from './migrations/0.3-handles.ts';
import { up as addImportInvitations } from './migrations/0.3-import-invitations.ts';
import { up as addImports } from './migrations/0.3-imports.ts';
import { up as addInviteLinks } from './migrations/0.3-invite-links.ts';
import { up as addMachines } from './migrations/0.3-machines.ts';
import { up as addPictures } from './migrations/0.3-pictures.ts';
import { createLeases, up as createTables } from './migrations/0.3-tables.ts';
import { rows as sampleRows } from './schema.ts';
import { unusedTables } from './tables.ts';
import { inTransaction } from './transaction.ts';

/** The entry that replaces those of version 0.2 in `janua_migrations`. Processes of version 0.2 do not know it, and refuse to start. */
const beginning = '0.3-begins-takes-away';

const steps: Readonly<Record<string, MigrationStep>> = {
  [beginning]: async () => {},
  '0.3-from-0.2': upgradeFrom02,
  '0.3-tables': createTables,
  '0.3-tables-client-secrets-takes-away': listSecrets,
  '0.3-tables-machines': addMachines,
  '0.3-tables-names': addHandles,
  '0.3-tables-of-applied-files': noteAppliedFiles,
  '0.3-tables-people': addImports,
  '0.3-tables-people-links': addInviteLinks,
  '0.3-tables-people-to-invite': addImportInvitations,
  '0.3-tables-resources-exchange': addExchanges,
  '0.3-tables-with-claims': addClaims,
  '0.3-tables-with-pictures': addPictures,
};

/** The names of the first and the last migration of version 0.2.0, which had 22. */
const former = { first: '0001-users-and-sessions', last: '2026-12-06-not-before' };

type Opened = Pick<OpenDatabase, 'database' | 'engine'>;

/** @property areFormer whether the tables are those of version 0.2 */
type Found = Opened & { readonly areFormer: boolean };

function createMigrator({ database, engine }: Opened, mayGoOn: () => boolean) {
  const guard: KyselyPlugin = {
    transformQuery({ node }) {
      if (!mayGoOn()) throw databaseUnavailable(new Error('another server may have gone on with the migrations'));
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const migrations = Object.entries(steps).map(([name, step]) => {
    const up = (db: Kysely<unknown>) => step(createTableChanges(db.withPlugin(guard), engine));
    return [name, { up }] as const;
  });
  return new Migrator({
    db: database,
    provider: { getMigrations: async () => Object.fromEntries(migrations) },
    migrationTableName: 'janua_migrations',
    migrationLockTableName: 'janua_migrations_lock',
    disableTransactions: database.isTransaction,
  });
}

/** The most milliseconds that a migration waits for the migration of another process, and that each of its own steps may take. */
const migrationMilliseconds = 10 * 60 * 1000;

/**
 * Updates our own tables. If several processes try at the same time, one migrates and the other processes wait.
 * @returns the names of the migrations that were missing
 * @throws {Misconfiguration} when the tables are of a newer version that this version cannot work with, or older than 0.2.0
 */
export async function migrate(opened: OpenDatabase): Promise<string[]> {
  const { missing, areFormer } = await compareSchema(opened.database);
  if (missing.length === 0) return [];
  await opened.withTimeout(migrationMilliseconds, () => migrateOn[opened.engine]({ ...opened, areFormer }));
  return missing;
}

/**
 * Finds what `migrate` would do, and changes nothing.
 * @returns the names of the missing migrations, and whether the tables are those of version 0.2
 * @throws {Misconfiguration} when `migrate` would refuse the tables
 */
export async function findUpgrade(database: Database): Promise<{ missing: readonly string[]; areFormer: boolean }> {
  const { missing, areFormer } = await compareSchema(database);
  return { missing, areFormer };
}

/** @param mayGoOn is called before each statement. False stops the migration */
async function migrateToLatest(opened: Found, mayGoOn = () => true): Promise<void> {
  if (opened.areFormer) await replaceFormer(opened.database);
  const { error } = await createMigrator(opened, mayGoOn).migrateToLatest();
  if (error !== undefined) throw error;
}

/** Replaces the names of the migrations of version 0.2, because Kysely refuses tables with migrations that it does not know. */
async function replaceFormer(database: Database): Promise<void> {
  const replace = async (transaction: Database) => {
    // Another process may have replaced the names in the meantime.
    if (!(await appliedMigrations(transaction)).includes(former.last)) return;
    const row = { name: beginning, timestamp: new Date().toISOString() };
    await transaction.deleteFrom('janua_migrations').execute();
    await transaction.insertInto('janua_migrations').values(row).execute();
  };
  await (database.isTransaction ? replace(database) : inTransaction(database, replace));
}

/** The number of Kysely's advisory lock. Older versions of Janua migrate with that lock, and must not run at the same time. */
const postgresLock = sql`3853314791062309107`;

/**
 * Migrates with a lock that ends with the transaction. Kysely's own lock would belong to the connection, which a pooler such as PgBouncer
 * may give to another client.
 */
const migrateOnPostgres = ({ database, areFormer }: Found): Promise<void> =>
  inTransaction(database, async (transaction) => {
    await sql`select pg_advisory_xact_lock(${postgresLock})`.execute(transaction);
    // Kysely's migrator requests a connection, but the transaction has one already.
    const connection = () => ({ execute: <T>(work: (db: Database) => Promise<T>) => work(transaction) });
    await migrateToLatest({ database: Object.assign(transaction, { connection }), engine: 'postgres', areFormer });
  });

/** Milliseconds between two checks whether another server still migrates. */
const turnInterval = 250;

/**
 * Migrates while it holds a lease. Kysely's own lock is not enough on MySQL and MariaDB, because the other nodes of a cluster don't see it.
 * The lease needs a second connection to be renewed. PostgreSQL and SQLite migrate in one transaction instead.
 */
async function migrateInTurn(opened: Found): Promise<void> {
  await createLeases(createTableChanges(opened.database, opened.engine));
  const deadline = performance.now() + migrationMilliseconds;
  while (performance.now() < deadline) {
    await using lease = await holdLease(opened.database, 'migrations', Date.now);
    if (lease !== undefined) return await migrateToLatest(opened, lease.isHeld);
    await setTimeout(turnInterval);
  }
  throw databaseUnavailable(new Error('another server migrates'));
}

const migrateOn = {
  sqlite: (opened: Found) => migrateToLatest(opened),
  postgres: migrateOnPostgres,
  mysql: migrateInTurn,
};

/**
 * Checks that this version can work with the tables.
 * @returns whether a newer version of Janua has added tables or columns
 * @throws {Misconfiguration} with the fix, when the tables are older, or when a newer version has removed something from them
 */
export async function requireUsableSchema({ database }: OpenDatabase): Promise<{ isNewer: boolean }> {
  const { applied, missing, isNewer } = await compareSchema(database);
  if (missing.length === 0) return { isNewer };
  throw new Misconfiguration({
    message:
      applied.length === 0
        ? "The database does not have Janua's tables yet."
        : "Janua's tables in the database are of an older version.",
    fix: 'Run: ./bin/janua migrate',
  });
}

/**
 * The end of the name of a migration that removes something. All other migrations only add. After a migration that only adds, servers of
 * the previous version keep running, and may restart, until all servers are upgraded.
 */
const takesAway = '-takes-away';

/**
 * Compares the migrations of the database with those of this version.
 * @returns the names of the applied and of the missing migrations, and whether a newer version has applied further ones, which only add
 * @throws {Misconfiguration} for tables that this version can neither use nor upgrade
 */
async function compareSchema(database: Database) {
  const applied = await appliedMigrations(database);
  const missing = Object.keys(steps).filter((name) => !applied.includes(name));
  const areFormer = applied.includes(former.last);
  if (areFormer) return { applied, missing, areFormer, isNewer: false };
  if (applied.includes(former.first))
    throw new Misconfiguration({
      message: "Janua's tables in the database are older than version 0.2.0.",
      fix: 'Start version 0.2.0 once, which upgrades them. Then start this version.',
    });
  const later = applied.filter((name) => !(name in steps));
  if (later.some((name) => name.endsWith(takesAway)) || (later.length > 0 && missing.length > 0))
    throw new Misconfiguration({
      message: "Janua's tables in the database are of a newer version than this server.",
      fix: 'Start the newer version.',
    });
  return { applied, missing, areFormer, isNewer: later.length > 0 };
}

/** Returns the names of the migrations that the database has. Empty without our tables. */
export async function appliedMigrations(database: Database): Promise<string[]> {
  try {
    const rows = await database.selectFrom('janua_migrations').select('name').execute();
    return rows.map(({ name }) => name);
  } catch (error) {
    if (isMissingTable(error)) return [];
    throw error;
  }
}

/**
 * Checks the tables in use. The migrations do not restore a table or a column that was removed.
 * @throws {Misconfiguration} when a table is missing or lacks a column, or when the account may not read it
 */
export async function requireTables(database: Database, used: { users: boolean; sessions: boolean }): Promise<void> {
  const unused = unusedTables(used);
  for (const [table, row] of Object.entries(sampleRows).filter(([name]) => !unused.has(name))) {
    try {
      const list = sql.join(Object.keys(row).map((column) => sql.ref(column)));
      await sql`select ${list} from ${sql.table(table)} where 1 = 0`.execute(database);
    } catch (error) {
      if (error instanceof Unavailable || !(error instanceof Error)) throw error;
      if (isMissingTable(error))
        throw new Misconfiguration({
          message: `DATABASE_URL: the table ${table} is gone, although Janua created it.`,
          fix: 'Restore a backup that has it.',
        });
      throw new Misconfiguration({
        message: `DATABASE_URL: the table ${table} differs from what Janua created, or this account may not read it (${error.message}).`,
        fix: 'Restore a backup, or grant the rights that this prints: ./bin/janua grants ACCOUNT',
      });
    }
  }
}
