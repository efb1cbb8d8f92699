import { sql } from '../kysely.ts';
import type { MigrationStep, TableChanges } from '../migration-step.ts';
import { createUsers } from './0.3-tables.ts';

/** The columns to drop. They told apart users with the same id, because a team's own table could give an id to another person. */
const named = {
  janua_passkeys: 'username',
  janua_totp: 'username',
  janua_recovery_codes: 'username',
  janua_trusted_browsers: 'username',
  janua_logins: 'username',
  janua_identities: 'username',
  janua_access_tokens: 'owner',
  janua_consents: 'owner',
  janua_subjects: 'owner',
};

/** The columns that are copied unchanged. */
const kept = [
  ...['id', 'first_name', 'last_name', 'disabled', 'demo', 'created_at', 'stamp', 'language'],
  ...['password_changed_at', 'group_names', 'scopes', 'address_proof', 'verified_address', 'verified_how'],
  ...['verified_by', 'verified_at', 'changes'],
];

/** The most rows of users that one statement changes. */
const usersAtOnce = 1000;

/**
 * Writes the groups and the scopes of users of a team's own table into their rows in `janua_users`. Rows of Janua's own accounts have them
 * already.
 */
async function writeGroups({ read, update }: TableChanges): Promise<void> {
  const memberships = await read(sql<{ user_id: string; name: string; scopes: string }>`
    select user_id, name, janua_groups.scopes as scopes from janua_memberships
    join janua_groups on name = group_name join janua_users on janua_users.id = user_id
    where source_key is not null order by user_id, name`);
  const groupsOf = Map.groupBy(memberships, (row) => row.user_id);
  const alike = Map.groupBy(groupsOf, ([, groups]) => groups.map(({ name }) => name).join(' '));
  for (const [names, users] of alike) {
    const granted = (users[0]?.[1] ?? []).flatMap(({ scopes }) => scopes.split(' ').filter(Boolean));
    const scopes = [...new Set(granted)].sort().join(' ') || null;
    for (let first = 0; first < users.length; first += usersAtOnce) {
      const ids = users.slice(first, first + usersAtOnce).map(([id]) => id);
      await update('janua_users', sql`group_names = ${names}, scopes = ${scopes} where id in (${sql.join(ids)})`);
    }
  }
}

/**
 * Gives every user of version 0.2 a row in `janua_users`, under an id that is never given to another person. Users of a team's own table
 * keep their ids, because encrypted secrets, sessions in Redis and the audit log are bound to them. An id that several names had is left
 * out: the next login with that id creates its row. The column of passwords has a new name, so that processes of version 0.2 fail instead
 * of giving wrong answers.
 */
export const up: MigrationStep = async (tables) => {
  const { rename, fill, drop, dropColumn, addColumn, orderByBytes, hasTable, hasColumn } = tables;
  // This table is dropped last, so its presence means that the upgrade is incomplete.
  if (!(await hasTable('janua_people'))) return;
  // The old table stays until the new one is complete.
  if (await hasColumn('janua_users', 'password_hash')) await rename('janua_users', 'janua_former_users');
  if (await hasTable('janua_former_users')) {
    await createUsers(tables);
    const columns = sql.join(kept.map((column) => sql.ref(column)));
    await fill(
      'janua_users',
      ['login_name', 'username', 'password', ...kept],
      sql`select username, username, password_hash, ${columns} from janua_former_users
        where id not in (select id from janua_users)`,
    );
    await fill(
      'janua_users',
      ['id', 'source_key', 'username', 'password', 'first_name', 'last_name', 'created_at', 'stamp', 'changes'].concat(
        'address_proof',
        'verified_address',
      ),
      sql`select user_id, user_id, username, '', '', '', since, stamp, changes, 'source', ''
        from janua_people where username <> '' and user_id not in (select id from janua_users)`,
    );
    await drop('janua_former_users');
  }
  await fill(
    'janua_search',
    ['id', 'kind', 'word', 'user_id'],
    sql`select concat(id, ' 0'), 0, substr(lower(username), 1, 203), id from janua_users
      where source_key is not null and id not in (select user_id from janua_search)`,
  );
  await writeGroups(tables);
  await addColumn('janua_ended_sessions', 'user_id', sql`varchar(255)`);
  await orderByBytes('janua_failures', 'key', 400);
  for (const [table, column] of Object.entries(named)) await dropColumn(table, column);
  await drop('janua_people');
};
