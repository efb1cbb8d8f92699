import { hash } from 'node:crypto';
import type { Database } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import { ChangeRefused, Unreadable } from './change-refused.ts';
import type { Held } from './held.ts';
import { indexWords } from './search.ts';
import { canonicalUsername } from './user.ts';
import type { UserDirectory } from './user-directory.ts';

/** The form of a handle: a second name of an account, with which its user signs in too. No address has this form. */
const pattern = /^[a-z0-9][a-z0-9._-]{1,31}$/;

/** Longest handle, in characters. */
export const maxHandleLength = 32;

/** Handles that people would take for the operator or for the site itself. The mailboxes are those of RFC 2142. */
const reserved: ReadonlySet<string> = new Set([
  ...['abuse', 'noc', 'security', 'postmaster', 'hostmaster', 'usenet', 'news', 'webmaster', 'www', 'uucp', 'ftp'],
  ...['info', 'marketing', 'sales', 'support', 'mailer-daemon', 'noreply', 'no-reply', 'contact', 'help', 'billing'],
  ...['admin', 'admins', 'administrator', 'root', 'operator', 'system', 'sysadmin', 'superuser', 'moderator', 'owner'],
  ...['janua', 'staff', 'team', 'official', 'anonymous', 'anyone', 'everyone', 'nobody', 'guest', 'demo', 'me', 'self'],
  ...['api', 'auth', 'login', 'logout', 'oidc', 'account', 'null', 'undefined'],
]);

export const isHandle = (text: string): boolean => pattern.test(text);

/** Reads a typed handle. @throws {Unreadable} */
export function requireHandle(typed: string): string {
  const handle = canonicalUsername(typed);
  if (!isHandle(handle))
    throw new Unreadable(
      'A handle has 2 to {most} small letters, digits, dots, hyphens and underscores, and begins with a letter or a digit.',
      { most: maxHandleLength },
    );
  if (reserved.has(handle)) throw new Unreadable('That handle is reserved.');
  return handle;
}

export const handleTaken = () =>
  new ChangeRefused('That handle is taken, or another account has had it.', 'handle-taken');

/** Most handles that one account may have had, because none is ever free again. */
const mostHandles = 10;

/** Returns the key of a handle that was given. Its row outlasts the account, so it contains no name. */
const digestOf = (handle: string) => hash('sha256', handle, 'base64url');

/**
 * Changes the handle of a user. A handle is never given to another account, not even once this one has another handle or is gone:
 * applications may know its user by that name.
 * @param handle undefined removes it
 * @returns whether it has changed
 * @throws {ChangeRefused} `handle-taken`
 */
export async function setHandle({ user, db }: Held, handle: string | undefined): Promise<boolean> {
  if (user.handle === handle) return false;
  if (handle !== undefined && !user.username.includes('@'))
    throw new ChangeRefused('The user name is no address, so it is the handle already.');
  if (handle !== undefined) await claim(handle, { user, db });
  await db
    .updateTable('janua_users')
    .set({ handle: handle ?? null })
    .where('id', '=', user.id)
    .execute();
  await indexWords(user.id, { handle: handle ?? '' }, db);
  return true;
}

async function claim(handle: string, { user, db }: Pick<Held, 'user' | 'db'>): Promise<void> {
  const digest = digestOf(handle);
  const given = db.selectFrom('janua_handles').select('user_id').where('digest', '=', digest);
  const owner = (await given.executeTakeFirst())?.user_id;
  if (owner === user.id) return;
  // Two accounts may claim it at once. The transaction of the second one is rolled back.
  const isNew =
    owner === undefined && (await insertNew(db.insertInto('janua_handles').values({ digest, user_id: user.id })));
  if (!isNew) throw handleTaken();
  const had = db.selectFrom('janua_handles').select('digest').where('user_id', '=', user.id);
  if ((await had.execute()).length > mostHandles)
    throw new ChangeRefused(`An account may have ${mostHandles} handles in its life, and this one has had them.`);
}

/** Returns those of the handles that new users cannot have. */
export async function findTakenHandles(
  handles: readonly string[],
  clients: readonly { readonly id: string }[],
  db: Database,
): Promise<ReadonlySet<string | undefined>> {
  const given = db.selectFrom('janua_handles').select('digest').where('digest', 'in', handles.map(digestOf));
  const digests = new Set((await given.execute()).map(({ digest }) => digest));
  const accounts = await db.selectFrom('janua_users').select('id').where('id', 'in', handles).execute();
  const ids = new Set([...clients, ...accounts].map(({ id }) => id));
  return new Set(handles.filter((handle) => digests.has(digestOf(handle)) || ids.has(handle)));
}

/** Returns the rows of `janua_handles` for new users. */
export const handleRows = (users: readonly { readonly id: string; readonly handle?: string | undefined | null }[]) =>
  users.flatMap(({ id, handle }) => (handle ? [{ digest: digestOf(handle), user_id: id }] : []));

export interface NameParts {
  readonly users: Pick<UserDirectory, 'findCandidate' | 'findById'>;
  readonly listClients: () => Promise<readonly { readonly id: string }[]>;
}

/**
 * Checks that a handle names nobody else: applications may compare it with a user name of a team's own table, a subject or a client id
 * (RFC 9700 4.15).
 * @throws {ChangeRefused} `handle-taken`
 */
export async function requireFreeHandle(handle: string, { users, listClients }: NameParts): Promise<void> {
  const named = await users.findCandidate(handle);
  const isOther = named !== undefined && named.account?.user.handle !== handle;
  const isClient = (await listClients()).some(({ id }) => id === handle);
  if (isOther || isClient || (await users.findById(handle)) !== undefined) throw handleTaken();
}
