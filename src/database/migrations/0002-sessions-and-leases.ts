import type { MigrationStep } from '../migration-step.ts';

/** Sessions and leases. */
export const up: MigrationStep = async (db, finish) => {
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
};
