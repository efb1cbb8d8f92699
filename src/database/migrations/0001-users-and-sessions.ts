import type { MigrationStep } from '../migration-step.ts';

/** Users and keys. Its sessions gave way to those of the second. */
export const up: MigrationStep = async (db, finish) => {
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
};
