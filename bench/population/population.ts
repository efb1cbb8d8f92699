import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { demoHash } from '../../src/commands/demo-users.ts';
import { createSecret, createSessionId, formatCredential, hashSecret } from '../../src/sessions/credential.ts';
import { passwordFingerprint } from '../../src/users/account.ts';

/** Numbers of users and sessions. */
export interface Size {
  readonly users: number;
  readonly sessions: number;
}

/** Users and their sessions as files of tab-separated values, which the database servers can load themselves. */
export interface Population {
  readonly users: TableFile;
  readonly sessions: TableFile;
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

/** Lines in one write. */
const batchSize = 1_000;

/** Milliseconds. */
const hour = 60 * 60 * 1000;
const day = 24 * hour;

const usernameOf = (index: number) => `user${index}@example.com`;

/** Invents users and sessions, and writes them to files in the folder. */
export async function writePopulation(folder: string, size: Size, cookieCount: number): Promise<Population> {
  const now = Date.now();
  const ids = Array.from({ length: size.users }, () => randomUUID());
  const cookies: string[] = [];
  const every = Math.floor(size.sessions / cookieCount);
  const fingerprints = ids.map((_, index) =>
    passwordFingerprint({ user: { username: usernameOf(index) }, passwordHash: demoHash }),
  );

  function inventUser(index: number): (string | number)[] {
    return [ids[index] ?? '', usernameOf(index), demoHash, 'Ann', 'Archer', 0, 0, now];
  }

  function inventSession(index: number): (string | number)[] {
    const id = createSessionId();
    const secret = createSecret();
    if (index % every === 0 && cookies.length < cookieCount) cookies.push(formatCredential('cookie', id, secret));
    // In the future. Otherwise the first request of each session in a minute would write, and writes are not measured here.
    const seen = now + hour + Math.floor((index / size.sessions) * hour);
    const user = index % ids.length;
    const fingerprint = fingerprints[user] ?? '';
    return [id, ids[user] ?? '', fingerprint, hashSecret(secret), hashSecret(createSecret()), now, seen, seen + day];
  }

  const users = { table: 'janua_users', columns: userColumns, path: join(folder, 'users.tsv') };
  const sessions = { table: 'janua_sessions', columns: sessionColumns, path: join(folder, 'sessions.tsv') };
  await writeLines(users.path, size.users, inventUser);
  await writeLines(sessions.path, size.sessions, inventSession);
  return { users, sessions, cookies };
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
