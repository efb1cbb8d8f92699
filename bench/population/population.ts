import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { demoHash } from '../../src/commands/demo-users.ts';
import { createEventIds } from '../../src/core/audit/event-id.ts';
import { createSecret, createSessionId, formatCredential, hashSecret } from '../../src/core/sessions/credential.ts';
import { passwordFingerprint } from '../../src/core/users/account.ts';
import { searchable, wordsOf } from '../../src/core/users/user.ts';

/** Numbers of users and sessions. */
export interface Size {
  readonly users: number;
  readonly sessions: number;
  /** Events of the audit, of 30 days. With events, administrators can also search for the users. */
  readonly events?: number;
}

/** Users and their sessions as files of tab-separated values, which the database servers can load themselves. */
export interface Population {
  readonly users: TableFile;
  readonly sessions: TableFile;
  /** Further tables of the database. */
  readonly others: readonly TableFile[];
  /** Cookies of sessions from all parts of the table. */
  readonly cookies: readonly string[];
}

export interface TableFile {
  readonly table: string;
  /** The columns, in the order of the values. */
  readonly columns: readonly string[];
  readonly path: string;
}

const userColumns = ['id', 'username', 'password_hash', 'first_name', 'last_name', 'disabled', 'demo', 'created_at'];
const sessionColumns = [
  ...['id', 'user_id', 'password_fingerprint', 'cookie_hash', 'token_hash'],
  ...['created_at', 'last_seen_at', 'expires_at'],
];

const eventColumns = ['id', 'at', 'kind', 'request_id', 'user_id', 'event'];
const wordColumns = ['id', 'kind', 'word', 'user_id'];

/** In a shift of 20, so that each hour has all of them. */
const kinds = [
  ...Array.from({ length: 13 }, () => 'login-succeeded'),
  ...['login-failed', 'login-failed', 'login-throttled', 'mail-sent', 'mail-sent', 'signed-up', 'logged-out'],
];

/** Lines in one write. */
const batchSize = 1_000;

/** Milliseconds. */
const hour = 60 * 60 * 1000;
const day = 24 * hour;

/** User names, and names that many users share. */
const personOf = (index: number) => ({
  username: `user${index}@example.com`,
  firstName: `Ann${index % 500}`,
  lastName: `Archer${index % 5000}`,
});

/** Invents users and sessions, and writes them to files in the folder. */
export async function writePopulation(folder: string, size: Size, cookieCount: number): Promise<Population> {
  const now = Date.now();
  const ids = Array.from({ length: size.users }, () => randomUUID());
  const cookies: string[] = [];
  const every = Math.floor(size.sessions / cookieCount);
  const fingerprints = ids.map((id, index) =>
    passwordFingerprint({ user: { id, ...personOf(index) }, passwordHash: demoHash }),
  );

  function inventUser(index: number): (string | number)[] {
    const { username, firstName, lastName } = personOf(index);
    return [ids[index] ?? '', username, demoHash, firstName, lastName, 0, 0, now];
  }

  function inventWord(index: number): (string | number)[] {
    const [user, kind] = [Math.floor(index / searchable.length), index % searchable.length];
    const word = wordsOf(personOf(user))[searchable[kind] ?? 'username'] ?? '';
    return [`${ids[user]} ${kind}`, kind, word, ids[user] ?? ''];
  }

  const createEventId = createEventIds();

  function inventEvent(index: number): (string | number)[] {
    const at = now - 30 * day + Math.floor((index / (size.events ?? 1)) * 30 * day);
    const [kind = '', userId = '', requestId] = [kinds[index % kinds.length], ids[index % ids.length], randomUUID()];
    const caller = {
      requestId,
      address: `203.0.113.${index % 256}`,
      userAgent: 'Mozilla/5.0',
      route: 'POST /auth/token',
    };
    return [createEventId(at), at, kind, requestId, userId, JSON.stringify({ kind, caller, userId })];
  }

  function inventSession(index: number): (string | number)[] {
    const id = createSessionId();
    const secret = createSecret();
    if (index % every === 0 && cookies.length < cookieCount) cookies.push(formatCredential('cookie', id, secret));
    // Later sessions expire later. A request writes at most once a minute that its session is in use.
    const expires = now + day + Math.floor((index / size.sessions) * hour);
    const user = index % ids.length;
    const fingerprint = fingerprints[user] ?? '';
    return [id, ids[user] ?? '', fingerprint, hashSecret(secret), hashSecret(createSecret()), now, now, expires];
  }

  const users = { table: 'janua_users', columns: userColumns, path: join(folder, 'users.tsv') };
  const sessions = { table: 'janua_sessions', columns: sessionColumns, path: join(folder, 'sessions.tsv') };
  await writeLines(users.path, size.users, inventUser);
  await writeLines(sessions.path, size.sessions, inventSession);
  const others = [
    { table: 'janua_audit', columns: eventColumns, path: join(folder, 'events.tsv') },
    { table: 'janua_search', columns: wordColumns, path: join(folder, 'words.tsv') },
  ];
  if (size.events === undefined) return { users, sessions, others: [], cookies };
  await writeLines(others[0]?.path ?? '', size.events, inventEvent);
  await writeLines(others[1]?.path ?? '', size.users * searchable.length, inventWord);
  return { users, sessions, others, cookies };
}

async function writeLines(path: string, count: number, invent: (index: number) => (string | number)[]): Promise<void> {
  function* batches(): Generator<string> {
    for (let start = 0; start < count; start += batchSize) {
      const length = Math.min(batchSize, count - start);
      yield Array.from({ length }, (_, index) => `${invent(start + index).join('\t')}\n`).join('');
    }
  }
  await pipeline(Readable.from(batches()), createWriteStream(path));
}
