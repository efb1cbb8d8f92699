import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** The column with the name that the user of a team's own table had. It is empty for Janua's own, but in `janua_memberships`. */
const names = {
  janua_logins: 'username',
  janua_passkeys: 'username',
  janua_totp: 'username',
  janua_recovery_codes: 'username',
  janua_trusted_browsers: 'username',
  janua_memberships: 'username',
  janua_identities: 'username',
  janua_access_tokens: 'owner',
  janua_consents: 'owner',
  janua_subjects: 'owner',
};

/**
 * Rows are read by the id alone, so `janua_people` has to tell whose they are. An id whose rows have one name gets a row with it. With
 * several, the name stays empty: the next login decides, keeps the rows of its name, and removes the others. Where the name is known, rows
 * with another one are void already, and go. Processes of the version before find what they found. Table by table, because MariaDB and MySQL
 * lock what a statement reads.
 */
export const up: MigrationStep = async ({ fillMissing, remove, update }) => {
  const tables = Object.entries(names).map(([table, column]) => ({
    table,
    name: sql.ref(`${table}.${column}`),
    isOfId: sql`janua_people.user_id = ${sql.ref(`${table}.user_id`)}`,
  }));
  for (const { table, name } of tables)
    await fillMissing(
      'janua_people',
      ['user_id', 'username', 'since', 'stamp', 'changes'],
      sql`select user_id, case when min(${name}) = max(${name}) then min(${name}) else '' end, 0, null, 0
        from ${sql.table(table)} where ${name} <> '' and user_id not in (select id from janua_users) group by user_id`,
    );
  // A user who was met since has been locked, which counts, and has lost the rows of other names.
  for (const { table, name, isOfId } of tables)
    await update(
      'janua_people',
      sql`username = '' where changes = 0
        and exists (select 1 from ${sql.table(table)} where ${isOfId} and ${name} not in ('', janua_people.username))`,
    );
  for (const { table, name, isOfId } of tables.filter((one) => one.table !== 'janua_logins'))
    await remove(
      table,
      sql`exists (select 1 from janua_people where ${isOfId} and janua_people.username not in ('', ${name}))`,
    );
};
