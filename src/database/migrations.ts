import type { CreateTableBuilder, Migration } from 'kysely';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { Database, Engine, OpenDatabase } from './database.ts';
import { isMissingTable } from './errors.ts';
import { type Kysely, Migrator, sql } from './kysely.ts';

type Migrations = Readonly<Record<string, Migration>>;

/**
 * In order of their names; one that was released is never changed. MySQL commits each statement by itself, so that each
 * migration must also work where it was cut off before.
 */
function migrationsFor(engine: Engine): Migrations {
  // Keys compare byte by byte, as they do in the other two: MySQL's usual collations take a for A.
  const finish = <Name extends string, Column extends string>(table: CreateTableBuilder<Name, Column>) =>
    engine === 'mysql' ? table.modifyEnd(sql`character set utf8mb4 collate utf8mb4_bin`) : table;

  return {
    // Its sessions gave way to those of the second.
    '0001-users-and-sessions': {
      async up(db: Kysely<unknown>) {
        const users = db.schema
          .createTable('janua_users')
          .ifNotExists()
          .addColumn('id', 'varchar(36)', (column) => column.primaryKey())
          .addColumn('username', 'varchar(254)', (column) => column.notNull().unique())
          .addColumn('password_hash', 'varchar(512)', (column) => column.notNull())
          .addColumn('first_name', 'varchar(100)', (column) => column.notNull())
          .addColumn('last_name', 'varchar(100)', (column) => column.notNull())
          .addColumn('disabled', 'integer', (column) => column.notNull().defaultTo(0))
          .addColumn('demo', 'integer', (column) => column.notNull().defaultTo(0))
          .addColumn('created_at', 'bigint', (column) => column.notNull());
        await finish(users).execute();
        const keys = db.schema
          .createTable('janua_keys')
          .ifNotExists()
          .addColumn('name', 'varchar(40)', (column) => column.primaryKey())
          .addColumn('value', 'varchar(100)', (column) => column.notNull());
        await finish(keys).execute();
      },
    },
    '0002-sessions-and-leases': {
      async up(db: Kysely<unknown>) {
        await db.schema.dropTable('janua_sessions').ifExists().execute();
        const sessions = db.schema
          .createTable('janua_sessions')
          .addColumn('id', 'varchar(22)', (column) => column.primaryKey())
          .addColumn('user_id', 'varchar(255)', (column) => column.notNull())
          .addColumn('password_fingerprint', 'varchar(43)', (column) => column.notNull())
          .addColumn('cookie_hash', 'varchar(43)', (column) => column.notNull())
          .addColumn('token_hash', 'varchar(43)', (column) => column.notNull())
          .addColumn('created_at', 'bigint', (column) => column.notNull())
          .addColumn('last_seen_at', 'bigint', (column) => column.notNull())
          .addColumn('expires_at', 'bigint', (column) => column.notNull());
        await finish(sessions).execute();
        await db.schema.createIndex('janua_sessions_user_id').on('janua_sessions').column('user_id').execute();
        await db.schema.createIndex('janua_sessions_expires_at').on('janua_sessions').column('expires_at').execute();
        const leases = db.schema
          .createTable('janua_leases')
          .ifNotExists()
          .addColumn('name', 'varchar(40)', (column) => column.primaryKey())
          .addColumn('expires_at', 'bigint', (column) => column.notNull());
        await finish(leases).execute();
      },
    },
    '0003-throttle-and-audit': {
      async up(db: Kysely<unknown>) {
        await db.schema.dropTable('janua_failures').ifExists().execute();
        const failures = db.schema
          .createTable('janua_failures')
          // A user's id may have 255 characters, and the key says more than that.
          .addColumn('key', 'varchar(400)', (column) => column.primaryKey())
          .addColumn('count', 'integer', (column) => column.notNull())
          .addColumn('last_at', 'bigint', (column) => column.notNull())
          .addColumn('expires_at', 'bigint');
        await finish(failures).execute();
        await db.schema.createIndex('janua_failures_expires_at').on('janua_failures').column('expires_at').execute();

        await db.schema.dropTable('janua_audit').ifExists().execute();
        const audit = db.schema
          .createTable('janua_audit')
          .addColumn('id', 'varchar(36)', (column) => column.primaryKey())
          .addColumn('at', 'bigint', (column) => column.notNull())
          .addColumn('kind', 'varchar(40)', (column) => column.notNull())
          .addColumn('request_id', 'varchar(64)')
          .addColumn('user_id', 'varchar(255)')
          .addColumn('event', 'text', (column) => column.notNull());
        await finish(audit).execute();
        // Times are found by the ids, which are in their order; an index for each question would cost every login.
        await db.schema.createIndex('janua_audit_request_id').on('janua_audit').column('request_id').execute();
      },
    },
  };
}

/** Longest that a migration waits for another process's, and for each of its own steps, in milliseconds. */
const migrationPatience = 10 * 60 * 1000;

/**
 * Brings our own tables up to date and gives the names of the migrations that were missing. Many may try at the same
 * time: one works, the others wait for it.
 * @throws {Misconfiguration} when a newer version has been here
 */
export async function migrate(opened: OpenDatabase): Promise<string[]> {
  const { database, engine } = opened;
  const migrations = migrationsFor(engine);
  const before = await appliedMigrations(database);
  refuseNewer(before, migrations);
  const missing = Object.keys(migrations).filter((name) => !before.includes(name));
  if (missing.length === 0) return [];
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: async () => migrations },
    migrationTableName: 'janua_migrations',
    migrationLockTableName: 'janua_migrations_lock',
  });
  await opened.withPatience(migrationPatience, async () => {
    const { error } = await migrator.migrateToLatest();
    if (error !== undefined) throw error;
  });
  return missing;
}

/**
 * Whether this version can work with the tables as they are.
 * @throws {Misconfiguration} when they are older or newer, saying what to do
 */
export async function requireCurrentSchema({ database, engine }: OpenDatabase): Promise<void> {
  const migrations = migrationsFor(engine);
  const applied = await appliedMigrations(database);
  refuseNewer(applied, migrations);
  if (applied.length === 0)
    throw new Misconfiguration('The database has no tables of Janua yet. Run: npx janua migrate');
  if (Object.keys(migrations).some((name) => !applied.includes(name))) {
    throw new Misconfiguration("The database's tables are of an older version. Run: npx janua migrate");
  }
}

function refuseNewer(applied: readonly string[], migrations: Migrations): void {
  if (applied.every((name) => name in migrations)) return;
  throw new Misconfiguration("The database's tables are of a newer version than this Janua. Start the newer version.");
}

async function appliedMigrations(database: Database): Promise<string[]> {
  try {
    const rows = await database.selectFrom('janua_migrations').select('name').execute();
    return rows.map(({ name }) => name);
  } catch (error) {
    if (isMissingTable(error)) return [];
    throw error;
  }
}
