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
 * with another one are void already, and go. Processes of the version before find what they found.
 */
export const up: MigrationStep = async ({ fillMissing, remove }) => {
  const named = Object.entries(names).map(
    ([table, column]) =>
      sql`select user_id, ${sql.ref(column)} as name from ${sql.table(table)} where ${sql.ref(column)} <> ''`,
  );
  await fillMissing(
    'janua_people',
    ['user_id', 'username', 'since', 'stamp', 'changes'],
    sql`select user_id, case when min(name) = max(name) then min(name) else '' end, 0, null, 0
      from (${sql.join(named, sql` union `)}) as named
      where user_id not in (select user_id from janua_people) and user_id not in (select id from janua_users)
      group by user_id`,
  );
  for (const [table, column] of Object.entries(names).filter(([table]) => table !== 'janua_logins')) {
    const row = (name: string) => sql.ref(`${table}.${name}`);
    await remove(
      table,
      sql`exists (select 1 from janua_people where janua_people.user_id = ${row('user_id')}
        and janua_people.username not in ('', ${row(column)}))`,
    );
  }
};
