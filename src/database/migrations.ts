import type { Migration } from 'kysely';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { Database, Engine, OpenDatabase } from './database.ts';
import { isMissingTable } from './errors.ts';
import { type Kysely, Migrator, sql } from './kysely.ts';
import type { MigrationStep, TableChanges } from './migration-step.ts';
import { up as usersAndSessions } from './migrations/0001-users-and-sessions.ts';
import { up as sessionsAndLeases } from './migrations/0002-sessions-and-leases.ts';
import { up as throttleAndAudit } from './migrations/0003-throttle-and-audit.ts';
import { up as stampsAndMethods } from './migrations/2026-11-25-stamps-and-methods.ts';

type Migrations = Readonly<Record<string, Migration>>;

/** Steps by file name, in the order of their names. */
const steps: Readonly<Record<string, MigrationStep>> = {
  '0001-users-and-sessions': usersAndSessions,
  '0002-sessions-and-leases': sessionsAndLeases,
  '0003-throttle-and-audit': throttleAndAudit,
  '2026-11-25-stamps-and-methods': stampsAndMethods,
};

function migrationsFor(engine: Engine): Migrations {
  // MySQL's default collations treat `a` and `A` as equal.
  const end = engine === 'mysql' ? sql`character set utf8mb4 collate utf8mb4_bin` : sql``;
  const changesOf = (db: Kysely<unknown>): TableChanges => ({
    async create(table, columns) {
      const list = Object.entries(columns).map(([name, type]) => sql`${sql.ref(name)} ${type}`);
      await sql`create table if not exists ${sql.table(table)} (${sql.join(list)}) ${end}`.execute(db);
    },
    drop: (table) => db.schema.dropTable(table).ifExists().execute(),
    index: (table, column) => db.schema.createIndex(`${table}_${column}`).on(table).column(column).execute(),
    async addColumn(table, column, type) {
      const tables = await db.introspection.getTables();
      if (tables.some(({ name, columns }) => name === table && columns.some(({ name }) => name === column))) return;
      await sql`alter table ${sql.table(table)} add column ${sql.ref(column)} ${type}`.execute(db);
    },
  });
  return Object.fromEntries(
    Object.entries(steps).map(([name, step]) => [name, { up: (db: Kysely<unknown>) => step(changesOf(db)) }]),
  );
}

/** Kysely's migrator with our steps. */
export function createMigrator({ database, engine }: OpenDatabase) {
  return new Migrator({
    db: database,
    provider: { getMigrations: async () => migrationsFor(engine) },
    migrationTableName: 'janua_migrations',
    migrationLockTableName: 'janua_migrations_lock',
  });
}

/** Milliseconds that a migration may wait for another process's migration, and for each of its own steps. */
const migrationPatience = 10 * 60 * 1000;

/**
 * Updates our own tables. If several processes try at the same time, one migrates and the other processes wait.
 * @returns the names of the migrations that were missing
 * @throws {Misconfiguration} when a newer version has migrated the tables
 */
export async function migrate(opened: OpenDatabase): Promise<string[]> {
  const { database, engine } = opened;
  const migrations = migrationsFor(engine);
  const before = await appliedMigrations(database);
  refuseNewer(before, migrations);
  const missing = Object.keys(migrations).filter((name) => !before.includes(name));
  if (missing.length === 0) return [];
  const migrator = createMigrator(opened);
  await opened.withPatience(migrationPatience, async () => {
    const { error } = await migrator.migrateToLatest();
    if (error !== undefined) throw error;
  });
  return missing;
}

/**
 * Checks that this version can work with the tables.
 * @throws {Misconfiguration} when the tables are older or newer, with the fix
 */
export async function requireCurrentSchema({ database, engine }: OpenDatabase): Promise<void> {
  const migrations = migrationsFor(engine);
  const applied = await appliedMigrations(database);
  refuseNewer(applied, migrations);
  if (applied.length === 0)
    throw new Misconfiguration({ message: 'The database has no tables of Janua yet.', fix: 'Run: npx janua migrate' });
  if (Object.keys(migrations).some((name) => !applied.includes(name))) {
    throw new Misconfiguration({
      message: "The database's tables are of an older version.",
      fix: 'Run: npx janua migrate',
    });
  }
}

function refuseNewer(applied: readonly string[], migrations: Migrations): void {
  if (applied.every((name) => name in migrations)) return;
  throw new Misconfiguration({
    message: "The database's tables are of a newer version than this Janua.",
    fix: 'Start the newer version.',
  });
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
