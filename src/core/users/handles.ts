import { hash } from 'node:crypto';
import type { Database } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import { ChangeRefused, Unreadable } from './change-refused.ts';
import type { Held } from './held.ts';
import { indexWords } from './search.ts';
import { canonicalUsername, searchable } from './user.ts';
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
  if (reserved.has(handle))
    throw new Unreadable(
      'That handle is reserved, because people would take it for the operator or the site. Choose another one.',
    );
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

/** Returns the id of the account that has the handle, or had it. The account may be gone. */
export const findHandleOwner = async (handle: string, db: Database): Promise<string | undefined> =>
  (await findHandleOwners([handle], db)).get(handle);

async function claim(handle: string, { user, db }: Pick<Held, 'user' | 'db'>): Promise<void> {
  const owner = await findHandleOwner(handle, db);
  if (owner === user.id) return;
  const values = { digest: digestOf(handle), user_id: user.id };
  // Two accounts may claim it at once. The transaction of the second one is rolled back.
  const isNew =
    owner === undefined &&
    (await findNames([handle], db, user.id)).size === 0 &&
    (await insertNew(db.insertInto('janua_handles').values(values)));
  if (!isNew) throw handleTaken();
  const had = db.selectFrom('janua_handles').select('digest').where('user_id', '=', user.id);
  if ((await had.execute()).length > mostHandles)
    throw new ChangeRefused(`An account may have ${mostHandles} handles in its life, and this one has had them.`);
}

/**
 * Returns those of the handles that are an id, a user name or a `sub` of another user. A user who has left a team's own table keeps the
 * name, because applications may know the user by it.
 * @param userId whose names do not count
 */
async function findNames(handles: readonly string[], db: Database, userId = ''): Promise<ReadonlySet<string>> {
  const others = [
    db.selectFrom('janua_users').select(['id', 'id as name']).where('id', 'in', handles),
    db.selectFrom('janua_subjects').select(['user_id as id', 'subject as name']).where('subject', 'in', handles),
    db
      .selectFrom('janua_search')
      .select(['user_id as id', 'word as name'])
      .where('kind', '=', searchable.indexOf('username'))
      .where('word', 'in', handles),
  ];
  const names = new Set<string>();
  for (const each of others) for (const { id, name } of await each.execute()) if (id !== userId) names.add(name);
  return names;
}

/** Returns those of the texts that are handles, or were, each with the id of its account. */
export async function findHandleOwners(texts: readonly string[], db: Database): Promise<ReadonlyMap<string, string>> {
  const given = db.selectFrom('janua_handles').selectAll().where('digest', 'in', texts.map(digestOf));
  const owners = new Map((await given.execute()).map(({ digest, user_id }) => [digest, user_id]));
  return new Map(
    texts.flatMap((text) => {
      const owner = owners.get(digestOf(text));
      return owner === undefined ? [] : [[text, owner] as const];
    }),
  );
}

/** Returns those of the handles that new users cannot have. */
export async function findTakenHandles(
  handles: readonly string[],
  clients: readonly { readonly id: string }[],
  db: Database,
): Promise<ReadonlySet<string | undefined>> {
  const given = await findHandleOwners(handles, db);
  const names = await findNames(handles, db);
  const ids = new Set(clients.map(({ id }) => canonicalUsername(id)));
  return new Set(handles.filter((handle) => given.has(handle) || names.has(handle) || ids.has(handle)));
}

/** Returns the rows of `janua_handles` for new users. */
export const handleRows = (users: readonly { readonly id: string; readonly handle?: string | undefined | null }[]) =>
  users.flatMap(({ id, handle }) => (handle ? [{ digest: digestOf(handle), user_id: id }] : []));

export interface NameParts {
  readonly users: Pick<UserDirectory, 'findCandidate'>;
  readonly listClients: () => Promise<readonly { readonly id: string }[]>;
}

/**
 * Checks that a handle names nobody else: applications may compare it with a user name of a team's own table or a client id (RFC 9700
 * 4.15). `setHandle` compares it with the names of the users whom Janua knows.
 * @throws {ChangeRefused} `handle-taken`
 */
export async function requireFreeHandle(handle: string, { users, listClients }: NameParts): Promise<void> {
  const named = await users.findCandidate(handle);
  const isOther = named !== undefined && named.account?.user.handle !== handle;
  const isClient = (await listClients()).some(({ id }) => canonicalUsername(id) === handle);
  if (isOther || isClient) throw handleTaken();
}
