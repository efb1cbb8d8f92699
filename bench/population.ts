import { hash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createEventIds } from '../src/core/audit/event-id.ts';
import { formatCredential, hashSecret } from '../src/core/sessions/credential.ts';
import { createRedisSessionStore } from '../src/core/sessions/redis-store.ts';
import { searchable, wordsOf } from '../src/core/users/user.ts';
import { type Database, openDatabase } from '../src/ground/database/database.ts';
import { sql } from '../src/ground/database/kysely.ts';
import type { NewRow, Tables } from '../src/ground/database/schema.ts';
import { unwatched } from '../src/ground/faults/store-watch.ts';
import { openRedis } from '../src/ground/redis/redis.ts';
import type { Settings } from './processes.ts';
import { password, withServices } from './workspace.ts';

/** Numbers of users, of their sessions, and of events of the audit in 30 days. */
export interface Size {
  readonly users: number;
  readonly sessions: number;
  readonly events: number;
}

/** The first user, an administrator. */
export const administrator = 'user0@example.com';

/** Sessions that expire first. */
export const expiring = 5_000;

/** Milliseconds. */
const hour = 60 * 60 * 1000;
const day = 24 * hour;

/** Milliseconds from the filling until the first sessions expire, and the others. */
export const soon = 12 * hour;
const later = 2 * soon;

/** Milliseconds that one statement may take: an index over forty million rows. */
const patience = hour;

/** SQLite's cache during the filling, in KiB. It is large because consecutive rows belong to different pages of the indexes. */
const sqliteCache = 1024 * 1024;

/** Rows that are written at the same time. */
const batchSize = 500;

/** In a shift of 20, so that each hour has all of them. */
const kinds = [
  ...Array.from({ length: 13 }, () => 'login-succeeded'),
  ...['login-failed', 'login-failed', 'login-throttled', 'mail-sent', 'mail-sent', 'signed-up', 'logged-out'],
];

/** All accounts and sessions have it. It has the form of a random one. */
const stamp = 's'.repeat(22);

const digest = (text: string) => hash('sha256', text, 'base64url');

const idOf = (n: number) =>
  hash('sha256', `user${n}`, 'hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');

/** User names, and names that many users share. */
const personOf = (n: number) => ({
  username: `user${n}@example.com`,
  firstName: `Ann${n % 500}`,
  lastName: `Archer${n % 5000}`,
});

const sessionIdOf = (n: number) => digest(`session${n}`).slice(0, 22);
const secretOf = (n: number) => digest(`cookie${n}`);

/** The cookie of the session with this number, from 1. */
export const cookieOf = (n: number) => `Cookie: session=${formatCredential('cookie', sessionIdOf(n), secretOf(n))}`;

/** What fills a table: rows by their numbers, from 1. */
type Filling = {
  readonly [Name in keyof Tables]?: { readonly count: number; readonly row: (n: number) => NewRow<Name> };
};

/** Invents users, their sessions, and the events of the audit. The same number gives the same user in each store. */
export function invent({ users, sessions, events }: Size, password: string) {
  const now = Date.now();
  const createEventId = createEventIds();
  const userOf = (n: number) => 1 + (n % (users - 1));
  const expiryOf = (n: number) => now + (n % Math.ceil(sessions / expiring) === 0 ? soon : later + (n % soon));
  return {
    janua_users: {
      count: users - 1,
      row(n) {
        const { username, firstName, lastName } = personOf(n);
        return {
          ...{
            id: idOf(n),
            login_name: username,
            username,
            password,
            disabled: 0,
            demo: 0,
            created_at: now - n,
            stamp,
          },
          ...{ first_name: firstName, last_name: lastName, group_names: n % 10 === 0 ? 'staff' : null },
        };
      },
    },
    janua_search: {
      count: (users - 1) * searchable.length,
      row(n) {
        const [user, kind] = [Math.ceil(n / searchable.length), n % searchable.length];
        const word = wordsOf(personOf(user))[searchable[kind] ?? 'username'] ?? '';
        return { id: `${idOf(user)} ${kind}`, kind, word, user_id: idOf(user) };
      },
    },
    janua_logins: { count: users - 1, row: (n) => ({ user_id: idOf(n), at: now }) },
    janua_memberships: {
      count: Math.floor((users - 1) / 10),
      row(n) {
        const [user_id, { username }] = [idOf(10 * n), personOf(10 * n)];
        return { id: `staff ${user_id}`, group_name: 'staff', user_id, username };
      },
    },
    janua_sessions: {
      count: sessions - 1,
      row: (n) => ({
        ...{ id: sessionIdOf(n), user_id: idOf(userOf(n)), password_fingerprint: stamp },
        ...{ cookie_hash: hashSecret(secretOf(n)), token_hash: digest(`token${n}`), created_at: now },
        ...{ last_seen_at: now, expires_at: expiryOf(n), authenticated_at: now },
      }),
    },
    janua_audit: {
      count: events,
      row(n) {
        const at = now - 30 * day + Math.floor((n / events) * 30 * day);
        const [kind = '', user_id, request_id] = [kinds[n % kinds.length], idOf(userOf(n)), randomUUID()];
        const address = `203.0.113.${n % 256}`;
        const caller = { requestId: request_id, address, userAgent: 'Mozilla/5.0', route: 'POST /auth/token' };
        const event = JSON.stringify({ kind, caller, userId: user_id });
        return { id: createEventId(at), at, kind, request_id, user_id, event };
      },
    },
  } satisfies Filling;
}

type Invented = ReturnType<typeof invent>;

/** Creates Janua's tables in an empty database, and the administrator. @returns the hash of the password of all users */
export function prepare(settings: Settings): Promise<string> {
  return withServices(settings, async ({ administration, users }) => {
    await administration.addGroup({ name: 'staff', description: '', scopes: [] });
    const names = { firstName: 'Ada', lastName: 'Admin' };
    await administration.add({ username: administrator, ...names, password, groups: ['admins'] });
    return (await users.findByUsername(administrator))?.passwordHash ?? '';
  });
}

/** @param folder for files that the database server can read */
export async function fillDatabase(url: string, invented: Invented, folder: string): Promise<void> {
  const tables = Object.entries(invented).map(([table, { count, row }]) => {
    const columns = Object.keys(row(1));
    function* values(): Generator<(string | number | null)[]> {
      for (let n = 1; n <= count; n += 1) yield Object.values(row(n));
    }
    return { table, columns, values };
  });
  if (url.startsWith('sqlite:')) {
    using database = new DatabaseSync(url.slice('sqlite:'.length));
    database.exec(`pragma synchronous = off; pragma cache_size = -${sqliteCache}; begin`);
    for (const { table, columns, values } of tables) {
      const places = columns.map(() => '?').join();
      const insert = database.prepare(`insert into ${table} (${columns.join()}) values (${places})`);
      for (const row of values()) insert.run(...row);
    }
    database.exec('commit; pragma wal_checkpoint(truncate)');
    return;
  }
  const watch = unwatched;
  const { database, engine } = await openDatabase(url, { connections: 1, timeoutMilliseconds: patience, watch });
  try {
    for (const { table: name, columns, values } of tables) {
      const [table, path] = [sql.table(name), join(folder, `${name}.tsv`)];
      const names = sql.join(columns.map((column) => sql.ref(column)));
      await pipeline(Readable.from(linesOf(values())), createWriteStream(path));
      if (engine === 'postgres') {
        const copy = sql`copy ${table} (${names}) from ${sql.lit(path)}`;
        await withoutIndexes(database, name, () => copy.execute(database));
        // Otherwise autovacuum would do it later, in the middle of a measurement.
        await sql`vacuum analyze ${table}`.execute(database);
      } else {
        const file = sql`infile ${sql.lit(path)} into table ${table} character set utf8mb4 (${names})`;
        await sql`load data ${file}`.execute(database);
        await sql`analyze table ${table}`.execute(database);
      }
      await rm(path);
    }
  } finally {
    await database.destroy();
  }
}

/** The format that PostgreSQL and MariaDB load themselves. */
function* linesOf(rows: Iterable<(string | number | null)[]>): Generator<string> {
  for (const row of rows) yield `${row.map((value) => value ?? '\\N').join('\t')}\n`;
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

export async function fillRedis(url: string, { janua_sessions: { count, row } }: Invented): Promise<void> {
  const redis = openRedis(url, patience, unwatched);
  const store = createRedisSessionStore(redis);
  for (let first = 1; first <= count; first += batchSize) {
    const batch = Array.from({ length: Math.min(batchSize, count - first + 1) }, async (_, index) => {
      const session = row(first + index);
      await store.insert(
        {
          ...{ id: session.id, userId: session.user_id, stamp, cookieHash: session.cookie_hash },
          ...{ tokenHash: session.token_hash, createdAt: session.created_at, lastSeenAt: session.last_seen_at },
          ...{ expiresAt: session.expires_at, authenticatedAt: session.authenticated_at, methods: ['pwd'] },
          ...{ userAgent: undefined, address: undefined, remembered: false, tokenScope: undefined },
        },
        [],
      );
    });
    await Promise.all(batch);
  }
  await redis.close();
}
