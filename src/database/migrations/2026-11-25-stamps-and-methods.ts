import type { MigrationStep } from '../migration-step.ts';

/** An account's stamp; when and how a session's owner proved who they are, and from where. Processes of the version before go on inserting. */
export const up: MigrationStep = async (db, _finish, hasColumn) => {
  if (!(await hasColumn('janua_users', 'stamp')))
    await db.schema.alterTable('janua_users').addColumn('stamp', 'varchar(43)').execute();
  const added = [
    ['authenticated_at', 'bigint', 0],
    ['methods', 'varchar(60)', 'pwd'],
    ['user_agent', 'varchar(200)', ''],
    ['address', 'varchar(64)', ''],
  ] as const;
  for (const [name, type, value] of added) {
    if (await hasColumn('janua_sessions', name)) continue;
    await db.schema
      .alterTable('janua_sessions')
      .addColumn(name, type, (definition) => definition.notNull().defaultTo(value))
      .execute();
  }
};
