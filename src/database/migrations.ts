import type { Migration } from 'kysely';
import { type Kysely, Migrator } from './kysely.ts';
import type { Tables } from './schema.ts';

/** In order of their names; one that was released is never changed. */
const migrations: Record<string, Migration> = {
  '0001-users-and-sessions': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('janua_users')
        .addColumn('id', 'varchar(36)', (column) => column.primaryKey())
        .addColumn('username', 'varchar(254)', (column) => column.notNull().unique())
        .addColumn('password_hash', 'varchar(512)', (column) => column.notNull())
        .addColumn('first_name', 'varchar(100)', (column) => column.notNull())
        .addColumn('last_name', 'varchar(100)', (column) => column.notNull())
        .addColumn('disabled', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('demo', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('janua_sessions')
        .addColumn('id', 'varchar(22)', (column) => column.primaryKey())
        .addColumn('user_id', 'varchar(36)', (column) => column.notNull())
        .addColumn('cookie_hash', 'varchar(43)', (column) => column.notNull())
        .addColumn('token_hash', 'varchar(43)', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('last_seen_at', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('janua_sessions_user_id').on('janua_sessions').column('user_id').execute();
      await db.schema.createIndex('janua_sessions_last_seen_at').on('janua_sessions').column('last_seen_at').execute();
      await db.schema
        .createTable('janua_keys')
        .addColumn('name', 'varchar(40)', (column) => column.primaryKey())
        .addColumn('value', 'varchar(100)', (column) => column.notNull())
        .execute();
    },
  },
};

/** Brings the schema up to date; a database that has it already is left alone. */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
    migrationTableName: 'janua_migrations',
    migrationLockTableName: 'janua_migrations_lock',
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
