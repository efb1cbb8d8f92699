import type { MigrationStep } from '../migration-step.ts';

/** What the throttle counts, and the audit. */
export const up: MigrationStep = async (db, finish) => {
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
};
