import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** Columns that told apart the users whom an id of a team's own table has had. */
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

/** Users whose rows one statement changes. */
const usersAtOnce = 1000;

/** Writes the groups of a team's users, and what they grant, into the rows of their accounts, as for own accounts. */
async function writeGroups({ read, update }: Parameters<MigrationStep>[0]): Promise<void> {
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
 * Gives every user a row in `janua_users`, under an id that is never given to another person. Users of a team's own table keep the id that
 * they had, because encrypted secrets, sessions in Redis and the audit are bound to it. Those whose id had several names are left out: their
 * next login adopts them. The column of passwords has a new name, so that processes of the version before fail rather than answer wrongly.
 */
export const up: MigrationStep = async (tables) => {
  const { recreate, rename, fill, fillMissing, drop, dropColumn, addIndex, hasTable, hasColumn } = tables;
  // The old table stays until the new one is complete.
  if (!(await hasColumn('janua_users', 'login_name')) && (await hasTable('janua_users')))
    await rename('janua_users', 'janua_former_users');
  if (await hasTable('janua_former_users')) {
    await recreate('janua_users', [], {
      id: sql`varchar(255) primary key`,
      source_key: sql`varchar(255) unique`,
      left_at: sql`bigint`,
      login_name: sql`varchar(254) unique`,
      username: sql`varchar(254) not null`,
      password: sql`varchar(512) not null`,
      password_print: sql`varchar(43)`,
      first_name: sql`varchar(100) not null`,
      last_name: sql`varchar(100) not null`,
      disabled: sql`integer default 0 not null`,
      demo: sql`integer default 0 not null`,
      created_at: sql`bigint not null`,
      stamp: sql`varchar(43)`,
      language: sql`varchar(8)`,
      password_changed_at: sql`bigint`,
      group_names: sql`text`,
      scopes: sql`text`,
      address_proof: sql`varchar(8)`,
      verified_address: sql`varchar(254)`,
      verified_how: sql`varchar(16)`,
      verified_by: sql`varchar(255)`,
      verified_at: sql`bigint`,
      changes: sql`bigint default 0 not null`,
    });
    const kept = [
      ...['id', 'first_name', 'last_name', 'disabled', 'demo', 'created_at', 'stamp', 'language'],
      ...['password_changed_at', 'group_names', 'scopes', 'address_proof', 'verified_address', 'verified_how'],
      ...['verified_by', 'verified_at', 'changes'],
    ];
    const columns = sql.join(kept.map((column) => sql.ref(column)));
    await fill(
      'janua_users',
      ['login_name', 'username', 'password', ...kept],
      sql`select username, username, password_hash, ${columns} from janua_former_users`,
    );
    await fillMissing(
      'janua_users',
      ['id', 'source_key', 'username', 'password', 'first_name', 'last_name', 'created_at', 'stamp', 'changes'].concat(
        'address_proof',
        'verified_address',
      ),
      sql`select user_id, user_id, username, '', '', '', since, stamp, changes, 'source', ''
        from janua_people where username <> '' and user_id not in (select id from janua_former_users)`,
    );
    await fillMissing(
      'janua_search',
      ['id', 'kind', 'word', 'user_id'],
      sql`select concat(id, ' 0'), 0, substr(lower(username), 1, 203), id from janua_users where source_key is not null`,
    );
    await drop('janua_former_users');
  }
  await recreate('janua_sources', [], { name: sql`varchar(40) primary key`, origin: sql`varchar(255) not null` });
  await addIndex('janua_users', ['username', 'id']);
  await addIndex('janua_users', ['created_at', 'id']);
  await addIndex('janua_users', ['disabled', 'username']);
  await addIndex('janua_users', ['left_at']);
  await writeGroups(tables);
  await drop('janua_people');
  for (const [table, column] of Object.entries(named)) await dropColumn(table, column);
};
