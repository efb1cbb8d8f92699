import { setTimeout } from 'node:timers/promises';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { Unavailable } from '../faults/unavailable.ts';
import type { Database, OpenDatabase } from './database.ts';
import { databaseUnavailable, isMissingTable } from './errors.ts';
import { type Kysely, Migrator, sql } from './kysely.ts';
import { holdLease } from './lease.ts';
import { createTableChanges, type MigrationStep } from './migration-step.ts';
import { up as usersAndSessions } from './migrations/0001-users-and-sessions.ts';
import { createLeases, up as sessionsAndLeases } from './migrations/0002-sessions-and-leases.ts';
import { up as throttleAndAudit } from './migrations/0003-throttle-and-audit.ts';
import { up as stampsAndMethods } from './migrations/2026-11-25-stamps-and-methods.ts';
import { up as accountsAndMail } from './migrations/2026-11-26-accounts-and-mail.ts';
import { up as secondFactors } from './migrations/2026-11-26-second-factors.ts';
import { up as administration } from './migrations/2026-11-27-administration.ts';
import { up as openid } from './migrations/2026-11-28-openid.ts';
import { up as upstream } from './migrations/2026-11-28-upstream.ts';
import { up as mailTurns } from './migrations/2026-11-29-mail-turns.ts';
import { up as people } from './migrations/2026-11-29-people.ts';
import { up as waiting } from './migrations/2026-11-29-waiting.ts';
import { up as resources } from './migrations/2026-11-30-resources.ts';
import { up as verifiedAddresses } from './migrations/2026-11-30-verified-addresses.ts';
import { up as widerIndexes } from './migrations/2026-11-30-wider-indexes.ts';
import { up as namesOfIds } from './migrations/2026-12-01-names-of-ids.ts';
import { up as endedSessions } from './migrations/2026-12-02-ended-sessions.ts';
import { up as groupChanges } from './migrations/2026-12-02-group-changes.ts';
import { up as times } from './migrations/2026-12-03-times.ts';
import { up as passkeyOffers } from './migrations/2026-12-04-passkey-offers.ts';
import { up as groupFactors } from './migrations/2026-12-05-group-factors.ts';
import { up as notBefore } from './migrations/2026-12-06-not-before.ts';
import { up as mailBounds } from './migrations/2026-12-07-mail-bounds.ts';
import { up as endsOfUsers } from './migrations/2026-12-08-ends-of-users.ts';
import { up as failureKeys } from './migrations/2026-12-08-failure-keys.ts';
import { up as tokensOfGrants } from './migrations/2026-12-08-tokens-of-grants.ts';
import { up as waitingNotices } from './migrations/2026-12-08-waiting-notices.ts';
import { up as oneTable } from './migrations/2026-12-09-one-table-takes-away.ts';
import { rows as sampleRows } from './schema.ts';
import { unusedTables } from './tables.ts';
import { inTransaction } from './transaction.ts';

const steps: Readonly<Record<string, MigrationStep>> = {
  '0001-users-and-sessions': usersAndSessions,
  '0002-sessions-and-leases': sessionsAndLeases,
  '0003-throttle-and-audit': throttleAndAudit,
  '2026-11-25-stamps-and-methods': stampsAndMethods,
  '2026-11-26-accounts-and-mail': accountsAndMail,
  '2026-11-26-second-factors': secondFactors,
  '2026-11-27-administration': administration,
  '2026-11-28-openid': openid,
  '2026-11-28-upstream': upstream,
  '2026-11-29-mail-turns': mailTurns,
  '2026-11-29-people': people,
  '2026-11-29-waiting': waiting,
  '2026-11-30-resources': resources,
  '2026-11-30-verified-addresses': verifiedAddresses,
  '2026-11-30-wider-indexes': widerIndexes,
  '2026-12-01-names-of-ids': namesOfIds,
  '2026-12-02-ended-sessions': endedSessions,
  '2026-12-02-group-changes': groupChanges,
  '2026-12-03-times': times,
  '2026-12-04-passkey-offers': passkeyOffers,
  '2026-12-05-group-factors': groupFactors,
  '2026-12-06-not-before': notBefore,
  '2026-12-07-mail-bounds': mailBounds,
  '2026-12-08-ends-of-users': endsOfUsers,
  '2026-12-08-failure-keys': failureKeys,
  '2026-12-08-tokens-of-grants': tokensOfGrants,
  '2026-12-08-waiting-notices': waitingNotices,
  '2026-12-09-one-table-takes-away': oneTable,
};

type Opened = Pick<OpenDatabase, 'database' | 'engine'>;

/** @param mayGoOn is asked before each step */
export function createMigrator({ database, engine }: Opened, mayGoOn = () => true) {
  const migrations = Object.entries(steps).map(([name, step]) => {
    async function up(db: Kysely<unknown>): Promise<void> {
      if (!mayGoOn()) throw databaseUnavailable(new Error('another server may have gone on with the migrations'));
      await step(createTableChanges(db, engine));
    }
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

/** How long a migration may wait for another process's migration, and for each of its own steps. */
const migrationMilliseconds = 10 * 60 * 1000;

/**
 * Updates our own tables. If several processes try at the same time, one migrates and the other processes wait.
 * @returns the names of the migrations that were missing
 * @throws {Misconfiguration} when the tables are of a newer version that this one cannot work with
 */
export async function migrate(opened: OpenDatabase): Promise<string[]> {
  const { missing } = await compareSchema(opened.database);
  if (missing.length === 0) return [];
  await opened.withTimeout(migrationMilliseconds, () => migrateOn[opened.engine](opened));
  return missing;
}

async function migrateToLatest(migrator: ReturnType<typeof createMigrator>): Promise<void> {
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** Kysely's own number of its lock. Older versions take it too. */
const postgresLock = sql`3853314791062309107`;

/** The lock ends with the transaction. Kysely's would belong to the session, which a pooler may give to another client. */
const migrateOnPostgres = ({ database }: Opened): Promise<void> =>
  inTransaction(database, async (transaction) => {
    await sql`select pg_advisory_xact_lock(${postgresLock})`.execute(transaction);
    // The migrator asks for a connection. The transaction has one already.
    const connection = () => ({ execute: <T>(work: (db: Database) => Promise<T>) => work(transaction) });
    await migrateToLatest(createMigrator({ database: Object.assign(transaction, { connection }), engine: 'postgres' }));
  });

/** Milliseconds between two looks whether another server still migrates. */
const turnInterval = 250;

/**
 * Takes a lease besides Kysely's lock, which in the MySQL family other nodes of a cluster don't see. PostgreSQL and SQLite migrate in one
 * transaction. The lease needs a second connection to be renewed.
 */
async function migrateInTurn(opened: Opened): Promise<void> {
  await createLeases(createTableChanges(opened.database, opened.engine));
  const deadline = performance.now() + migrationMilliseconds;
  while (performance.now() < deadline) {
    await using lease = await holdLease(opened.database, 'migrations', Date.now);
    if (lease !== undefined) return await migrateToLatest(createMigrator(opened, lease.isHeld));
    await setTimeout(turnInterval);
  }
  throw databaseUnavailable(new Error('another server migrates'));
}

const migrateOn = {
  sqlite: (opened: Opened) => migrateToLatest(createMigrator(opened)),
  postgres: migrateOnPostgres,
  mysql: migrateInTurn,
};

/**
 * Checks that this version can work with the tables.
 * @returns whether a newer version has added to them
 * @throws {Misconfiguration} when the tables are older, or newer by more than additions, with the fix
 */
export async function requireUsableSchema({ database }: OpenDatabase): Promise<{ isNewer: boolean }> {
  const { missing, isNewer } = await compareSchema(database);
  if (missing.length === 0) return { isNewer };
  const areNew = missing.length === Object.keys(steps).length;
  throw new Misconfiguration({
    message: areNew
      ? "The database does not have Janua's tables yet."
      : "Janua's tables in the database are of an older version.",
    fix: 'Run: npx janua migrate',
  });
}

/**
 * The end of the name of a migration that removes something. All other migrations only add. Servers of the version before then go on, and
 * may start again, until all are upgraded.
 */
const takesAway = '-takes-away';

/**
 * The names of the missing migrations, and whether a newer version has run more, which only add.
 * @throws {Misconfiguration} for other tables
 */
async function compareSchema(database: Database): Promise<{ missing: string[]; isNewer: boolean }> {
  const applied = await appliedMigrations(database);
  const missing = Object.keys(steps).filter((name) => !applied.includes(name));
  const later = applied.filter((name) => !(name in steps));
  if (later.some((name) => name.endsWith(takesAway)) || (later.length > 0 && missing.length > 0))
    throw new Misconfiguration({
      message: "Janua's tables in the database are of a newer version than this server.",
      fix: 'Start the newer version.',
    });
  return { missing, isNewer: later.length > 0 };
}

/** The names of the migrations that the database has. Empty without our tables. */
export async function appliedMigrations(database: Database): Promise<string[]> {
  try {
    const rows = await database.selectFrom('janua_migrations').select('name').execute();
    return rows.map(({ name }) => name);
  } catch (error) {
    if (isMissingTable(error)) return [];
    throw error;
  }
}

/** @throws {Misconfiguration} when a table in use is missing or lacks a column, which no migration corrects, or the account may not read it */
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
        fix: 'Restore a backup, or grant the rights that this prints: npx janua grants ACCOUNT',
      });
    }
  }
}
