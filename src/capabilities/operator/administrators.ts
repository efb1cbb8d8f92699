import { hash } from 'node:crypto';
import type { Core } from '../../core/core.ts';
import { admins, ownScopes } from '../../core/users/scopes.ts';
import { findTime, setTime } from '../../ground/database/times.ts';
import { asServer } from '../../ground/faults/requester.ts';

/** Prefix of names in the table `janua_times`. The time is when a user was noted as an administrator, or 0 if the user no longer is one. */
const prefix = 'administrator:';
const markOf = (userId: string) => `${prefix}${hash('sha256', userId, 'base64url').slice(0, 22)}`;

const begun = 'administrators-known';

/** Most users that one mail names. */
const mostNames = 20;

type Needs = Pick<Core, 'database' | 'users' | 'groups' | 'groupsInColumn' | 'settings' | 'now'>;

/**
 * Finds users who have become administrators since the last check, for any cause: a page, a command, a setting, an import or the scopes of
 * a group. An administrator holds at least one of Janua's own scopes.
 * @param tell reports their names. If it returns false, the next check finds them again
 */
export function createAdministratorWatch(core: Needs, tell: Tell) {
  const { database, users, groups, groupsInColumn, settings, now } = core;
  const isOwn = (scope: string) => Object.hasOwn(ownScopes, scope);

  async function findIds(): Promise<Set<string>> {
    const granting = (await groups.findAll()).filter(({ name, scopes }) => name === admins || scopes.some(isOwn));
    const members = await database
      .selectFrom('janua_memberships')
      .select('user_id')
      .where(
        'group_name',
        'in',
        granting.map(({ name }) => name),
      )
      .execute();
    const listed = await Promise.all(settings.ADMINISTRATORS.map((address) => users.findByUsername(address)));
    return new Set([
      ...members.map(({ user_id }) => user_id),
      ...listed.flatMap((account) => (account?.user.groups.includes(admins) ? [account.user.id] : [])),
    ]);
  }

  /** Finds the name of an enabled user. A membership may outlast its user, and a disabled user cannot act as an administrator. */
  async function findName(id: string): Promise<string | undefined> {
    const account = await users.findById(id);
    return account === undefined || account.disabled ? undefined : account.user.username;
  }

  async function mark(ids: Iterable<string>): Promise<void> {
    for (const id of ids) await setTime(database, markOf(id), now());
  }

  /** @param also the id of a user who has logged in, and whose groups are in a column of a team's own table */
  async function look(also?: string): Promise<void> {
    const ids = await findIds();
    const isFirst = (await findTime(database, begun)) === undefined;
    const rows = database
      .selectFrom('janua_times')
      .select('name')
      .where('name', 'like', `${prefix}%`)
      .where('at', '>', 0);
    const marked = new Set((await rows.execute()).map(({ name }) => name));
    const added: { id: string; name: string }[] = [];
    for (const id of also === undefined ? ids : [...ids, also]) {
      const name = marked.has(markOf(id)) ? undefined : await findName(id);
      if (name !== undefined) added.push({ id, name });
    }
    if (isFirst || (added.length > 0 && (await tell(namesOf(added))))) await mark(added.map(({ id }) => id));
    if (isFirst) await setTime(database, begun, now());
    // Janua does not search the column of a team's own table, so it does not know which users have lost the rights.
    if (groupsInColumn) return;
    // Forgets users who are no administrators any more, so that they are reported if they become administrators again.
    const present = new Set([...ids].map(markOf));
    for (const name of marked) if (!present.has(name)) await setTime(database, name, 0);
  }

  let looking: Promise<void> = Promise.resolve();
  return {
    /** Checks run one after the other. */
    look(also?: string): Promise<void> {
      looking = looking.catch(() => {}).then(() => asServer(() => look(also)));
      return looking;
    },
  };
}

type Tell = (names: string) => Promise<boolean>;

const namesOf = (added: readonly { readonly name: string }[]) => listNames(added.map(({ name }) => name));

const listNames = (names: readonly string[]) =>
  names.slice(0, mostNames).join(', ') + (names.length > mostNames ? ' …' : '');

/** Joins the names of two mails without repetition. */
export const mergeNames = (...lists: readonly string[]): string =>
  listNames([...new Set(lists.flatMap((list) => list.split(/, | (?=…)/)).filter(Boolean))]);
