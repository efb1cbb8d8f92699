import { createHash } from 'node:crypto';
import { compose } from '../../src/compose.ts';
import { formatCredential } from '../../src/core/sessions/credential.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import { type Database, openDatabase } from '../../src/ground/database/database.ts';
import { sql } from '../../src/ground/database/kysely.ts';
import { unwatched } from '../../src/ground/faults/store-watch.ts';
import type { Settings } from '../processes/parent.ts';

/** The first user, an administrator. */
export const administrator = 'user0@example.com';

/** All users have it. */
export const password = 'correct horse battery staple';

/** Milliseconds that one statement may take: an index over forty million rows. */
const patience = 60 * 60 * 1000;

/** Milliseconds from the filling until the first sessions expire, and the others. */
export const soon = 12 * 60 * 60 * 1000;
const later = 2 * soon;

/** Sessions that expire first. */
export const expiring = 5_000;

/** The digest of a text with the number of a row, base64url. */
const derived = (what: string, algorithm: 'md5' | 'sha256') => {
  const text = `convert_to('${what}' || n, 'UTF8')`;
  const digest = algorithm === 'md5' ? `decode(md5('${what}' || n), 'hex')` : `sha256(${text})`;
  return base64url(digest);
};

const base64url = (bytes: string) => `rtrim(translate(encode(${bytes}, 'base64'), '+/', '-_'), '=')`;

const userId = `md5('user' || n)::uuid::text`;
const [username, firstName, lastName] = [`'user' || n || '@example.com'`, `'Ann' || n % 500`, `'Archer' || n % 5000`];

/** The cookie of the session that the statement below makes of the same number. */
export function cookieOf(n: number): string {
  const digest = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('base64url');
  return formatCredential('cookie', digest('md5', `session${n}`), digest('sha256', `cookie${n}`));
}

/** What the server itself fills each table with, for the numbers n from 0. */
function statements(count: number, hash: string): Readonly<Record<string, string>> {
  const now = Date.now();
  const fingerprint = `sha256(convert_to(${username}, 'UTF8') || '\\x00'::bytea || convert_to('${hash}', 'UTF8'))`;
  const isExpiring = `n % ${Math.ceil(count / expiring)} = 0`;
  const expires = `${now} + case when ${isExpiring} then ${soon} else ${later} + n % ${soon} end`;
  const from = `from generate_series(1, ${count - 1}) n`;
  return {
    janua_users: `(id, username, password_hash, first_name, last_name, disabled, demo, created_at)
      select ${userId}, ${username}, '${hash}', ${firstName}, ${lastName}, 0, 0, ${now} - n ${from}`,
    janua_search: `(id, kind, word, user_id)
      select ${userId} || ' ' || kind, kind, case kind when 0 then ${username}
        when 1 then lower(${firstName} || ' ' || ${lastName}) else lower(${lastName}) end, ${userId}
      ${from}, generate_series(0, 2) kind`,
    janua_sessions: `(id, user_id, password_fingerprint, cookie_hash, token_hash, created_at, last_seen_at, expires_at,
        authenticated_at)
      select ${derived('session', 'md5')}, ${userId}, ${base64url(fingerprint)},
        ${base64url(`sha256(convert_to(${derived('cookie', 'sha256')}, 'UTF8'))`)}, ${derived('token', 'sha256')},
        ${now}, ${now}, ${expires}, ${now} ${from}`,
    janua_logins: `(user_id, username, at) select ${userId}, ${username}, ${now} ${from}`,
    janua_memberships: `(id, group_name, user_id, username)
      select 'staff ' || ${userId}, 'staff', ${userId}, ${username} ${from} where n % 10 = 0`,
  };
}

/** Fills an empty database of PostgreSQL with users, with a session each. */
export async function fillMany(settings: Settings, count: number): Promise<void> {
  const composition = await compose(loadSettings({}, settings), { migrates: true });
  const { administration } = await composition.prepare();
  await administration.addGroup({ name: 'staff', description: '', scopes: [] });
  const names = { firstName: 'Ada', lastName: 'Admin' };
  await administration.add({ username: administrator, ...names, password, groups: ['admins'] });
  await composition.close();
  const url = settings.DATABASE_URL ?? '';
  const { database } = await openDatabase(url, { connections: 1, timeoutMilliseconds: patience, watch: unwatched });
  try {
    const { rows } = await sql<{ hash: string }>`select password_hash as hash from janua_users`.execute(database);
    for (const [table, statement] of Object.entries(statements(count, rows[0]?.hash ?? '')))
      await withoutIndexes(database, table, () => sql.raw(`insert into ${table} ${statement}`).execute(database));
    await sql`vacuum analyze`.execute(database);
  } finally {
    await database.destroy();
  }
}

/** Rows in random order are added to a large index slowly, and a new index is made fast. */
async function withoutIndexes(database: Database, table: string, fill: () => Promise<unknown>): Promise<void> {
  const run = (statement: string) => sql.raw(statement).execute(database);
  const { rows } = await sql<{ drop: string; make: string }>`
    select format('alter table %s drop constraint %I', conrelid::regclass, conname) as drop,
      format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as make
    from pg_constraint where conrelid = ${table}::regclass and contype in ('p', 'u')
    union all
    select format('drop index %s', indexrelid::regclass), pg_get_indexdef(indexrelid) from pg_index
    where indrelid = ${table}::regclass and not exists (select 1 from pg_constraint where conindid = indexrelid)
  `.execute(database);
  for (const { drop } of rows) await run(drop);
  await fill();
  for (const { make } of rows) await run(make);
}
