import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import { maxPasswordBytes, type Passwords } from '../passwords/passwords.ts';
import { minPasswordLength, type PasswordFault, type PasswordOwner, type PasswordPolicy } from '../passwords/policy.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import type { ListedSession, Sessions } from '../sessions/sessions.ts';
import { type Account, rightsOfAccount, stampOf, type Verification } from '../users/account.ts';
import { ChangeRefused } from '../users/change-refused.ts';
import type { events } from '../users/events.ts';
import type { Group, Groups } from '../users/groups.ts';
import type { Held, HoldNew } from '../users/held.ts';
import { requireEmail, requireName } from '../users/require-details.ts';
import type { RequireRights } from '../users/scopes.ts';
import { canonicalUsername, type User } from '../users/user.ts';
import type { ListedUser, NewUser, UserDirectory, UserRegistry } from '../users/user-directory.ts';
import type { Changes } from './change.ts';
import type { ChangeKind } from './change-rules.ts';

type EventKind = keyof typeof events | keyof typeof sessionEvents;

const passwordFaults: Readonly<Record<PasswordFault['code'], string>> = {
  malformed: 'A password must be valid text.',
  'password-too-long': `A password must have at most ${maxPasswordBytes} bytes.`,
  'password-too-short': `A password must have at least ${minPasswordLength} characters. You can use a few words with spaces.`,
  'password-personal':
    'A password must not contain the name or address of the user, or the name of the site (APP_NAME).',
  'password-common':
    'Attackers try this password first, because it is common or has a simple pattern. Use a few words with spaces.',
  'password-breached': 'This password is known from a data breach. Choose another one.',
};

export interface UserDetails extends Omit<User, 'id' | 'groups'> {
  readonly password: string;
  /** Names of groups that the user is added to. */
  readonly groups?: readonly string[];
  /** Whether the actor says that the address is the user's. Default: false. */
  readonly verified?: boolean | undefined;
}

type InvitedDetails = Omit<UserDetails, 'password' | 'verified'>;

export interface GroupChange {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

export type Administration = ReturnType<typeof createAdministration>;

/** A user by name, or by id. Sessions name a user who is gone from the directory by id. */
export type UserReference = string | { readonly username: string } | { readonly userId: string };

/** The actor: an operator with a command, or an administrator. */
export interface Actor {
  readonly caller: Caller;
  /** The id of the administrator. */
  readonly actorId?: string;
}

export interface AdministrationOptions extends Pick<Changes, 'changeAny'> {
  readonly holdNew: HoldNew | undefined;
  readonly users: UserDirectory;
  /** The same directory if this server may change it; undefined for a team's own table. */
  readonly registry: UserRegistry | undefined;
  readonly groups: Groups;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly passwordPolicy: PasswordPolicy;
  /** Ends the waits of a user, and records it. */
  readonly lift: (target: { readonly userId: string }, actor: Actor) => Promise<number>;
  /** Mails the link by which an invited user begins, or gives it to be handed over. */
  readonly invite: ((user: Account, byMail: boolean, actor: Actor) => Promise<string | undefined>) | undefined;
  /** Undefined where no mail is sent, or no password can be set. */
  readonly sendReset: ((user: User, actor: Actor) => Promise<void>) | undefined;
  /** @param judge is called with the locked account */
  readonly removeFactors: (user: User, actor: Actor, judge: (account: Account) => void) => Promise<void>;
  readonly audit: Audit<EventKind>;
}

/**
 * The actions of administrators, for commands and pages. Ends sessions if the change requires it (ASVS 7.4.2). Every method throws
 * `ChangeRefused` if it cannot make the change.
 * @param requireRights judges the target before and after a change, in the transaction of the change. A command may change everything
 */
export function createAdministration(
  options: AdministrationOptions,
  actor: Actor,
  requireRights: RequireRights = () => {},
) {
  const { users, registry, groups, sessions, passwords, passwordPolicy, changeAny, audit } = options;

  const verification: Verification =
    actor.actorId === undefined
      ? { how: 'command', by: actor.caller.operator }
      : { how: 'administrator', by: actor.actorId };

  const record = (kind: EventKind, event: Omit<AuditEvent, 'kind' | keyof Actor>) =>
    audit.record({ kind, ...actor, ...event });

  function requireRegistry(): UserRegistry {
    if (registry !== undefined) return registry;
    throw new ChangeRefused(
      'USERS_TABLE is a table of your own, so Janua does not change its users. Change them in your application. ' +
        'To end the sessions of a user, run: janua sessions revoke-all EMAIL',
      'own-table',
    );
  }

  const idOf = async (reference: UserReference): Promise<string> =>
    typeof reference === 'object' && 'userId' in reference ? reference.userId : (await find(reference)).user.id;

  async function find(reference: UserReference): Promise<Account> {
    if (typeof reference === 'string') return find({ username: reference });
    const byId = 'userId' in reference;
    const account = await (byId
      ? users.findById(reference.userId)
      : users.findByUsername(canonicalUsername(reference.username)));
    if (account === undefined)
      throw new ChangeRefused(`There is no user with that ${byId ? 'id' : 'name'}.`, 'no-such-user');
    return account;
  }

  const judge = (account: Account): void => requireRights(rightsOfAccount(account));

  /** The account of a user whom the actor may change. */
  async function requireAccount(reference: UserReference): Promise<Account> {
    const account = await find(reference);
    judge(account);
    return account;
  }

  async function change(
    kind: ChangeKind,
    reference: UserReference,
    work: (registry: UserRegistry, held: Held) => Promise<void>,
  ): Promise<void> {
    const registry = requireRegistry();
    const userId = (await find(reference)).user.id;
    await changeAny({ kind }, userId, actor, (held) => {
      judge(held.account);
      return work(registry, held);
    });
  }

  async function hashNew(password: string, owner: PasswordOwner): Promise<string> {
    const fault = await passwordPolicy.findFault(password, owner);
    if (fault !== undefined) throw new ChangeRefused(passwordFaults[fault.code]);
    return passwords.hash(password);
  }

  /** Changes the groups of a user. `choose` gives the new ones, from those that the user is in. */
  function setGroupsOf(held: Held, choose: (present: readonly string[]) => readonly string[]) {
    const { user } = held;
    return groups.setGroupsOf(held, (present, rightsIn) => {
      const fixed = user.groups.filter((name) => !present.includes(name));
      const before = [...fixed, ...present];
      const chosen = choose(before);
      requireRights(rightsIn(before), rightsIn(chosen));
      const taken = fixed.find((name) => !chosen.includes(name));
      if (taken !== undefined)
        throw new ChangeRefused(
          `The user is in ${taken} by ADMINISTRATORS, or by a column of your table. Change it there.`,
        );
      return chosen.filter((name) => !fixed.includes(name));
    });
  }

  async function setGroups(reference: UserReference, choose: (present: readonly string[]) => readonly string[]) {
    const about = (names: readonly string[]) => names.join(' ');
    const userId = (await find(reference)).user.id;
    const changed = await changeAny({ kind: 'user-groups-changed', about }, userId, actor, (held) =>
      setGroupsOf(held, choose),
    );
    return changed.made;
  }

  async function addUser(
    kind: 'user-added' | 'user-invited',
    { username, firstName, lastName, groups: chosen = [] }: InvitedDetails,
    complete: (owner: PasswordOwner) => Promise<Pick<NewUser, 'passwordHash' | 'addressProof' | 'verification'>>,
  ): Promise<Account> {
    requireRegistry();
    const canonical = requireEmail(username);
    const details = { username: canonical, firstName: requireName(firstName), lastName: requireName(lastName) };
    if (chosen.length > 0) requireRights(await groups.rightsIn(chosen));
    const user = { ...details, ...(await complete(details)), demo: false };
    const setChosen = async (held: Held) => {
      // ADMINISTRATORS may list the address.
      judge(held.account);
      if (chosen.length > 0) await setGroupsOf(held, () => chosen);
      return held.account;
    };
    const account = await options.holdNew?.(user, setChosen, { groups: chosen.length > 0 });
    if (account === undefined) throw new ChangeRefused('There is already a user with that name.', 'user-exists');
    const userId = account.user.id;
    await record(kind, { userId });
    if (chosen.length > 0) await record('user-groups-changed', { userId, about: [...chosen].sort().join(' ') });
    return account;
  }

  return {
    async add({ password, verified = false, ...details }: UserDetails): Promise<User> {
      const { user } = await addUser('user-added', details, async (owner) => ({
        passwordHash: await hashNew(password, owner),
        ...(verified && { verification }),
      }));
      if (verified) await record('address-verified', { userId: user.id });
      return user;
    },

    /** Says that the address is the user's. Applications link accounts by it: on pages only members of `admins` may. */
    verify: (reference: UserReference) =>
      change('address-verified', reference, (registry, held) =>
        registry.verifyAddress(held, held.user.username, verification),
      ),

    /** Adds a user who chooses a password by a link. Gives the link, unless it is mailed. */
    async invite(details: InvitedDetails, byMail: boolean) {
      const { invite } = options;
      if (invite === undefined) throw new ChangeRefused('This server has no page on which invited users begin.');
      // An account without a password cannot log in. Until the link is used, only a mail leads into the account.
      const addressProof = byMail ? 'mail' : 'admin';
      const account = await addUser('user-invited', details, async () => ({ passwordHash: '', addressProof }));
      return { id: account.user.id, link: await invite(account, byMail, actor) };
    },

    /** Changes the groups of a user, and gives their names. */
    async changeGroups(reference: UserReference, { add = [], remove = [] }: GroupChange): Promise<readonly string[]> {
      if (add.length + remove.length === 0) return (await find(reference)).user.groups;
      return setGroups(reference, (present) => [...present, ...add].filter((name) => !remove.includes(name)));
    },

    /** Puts a user into these groups only. */
    async setGroups(reference: UserReference, names: readonly string[]): Promise<readonly string[]> {
      return setGroups(reference, () => names);
    },

    listGroups: groups.list,

    async addGroup(group: Group): Promise<void> {
      requireRights({ groups: [], scopes: group.scopes });
      await groups.add(group);
      await record('group-added', { about: group.name });
    },

    async setScopes(name: string, scopes: readonly string[]): Promise<void> {
      await groups.setScopes(name, scopes, requireRights);
      await record('group-changed', { about: [name, ...scopes].join(' ') });
    },

    async removeGroup(name: string): Promise<void> {
      await groups.remove(name, requireRights);
      await record('group-removed', { about: name });
    },

    list: (): AsyncIterable<ListedUser> => users.list(),

    async setPassword(reference: UserReference, password: string): Promise<void> {
      requireRegistry();
      const { user } = await find(reference);
      const passwordHash = await hashNew(password, user);
      await change('password-set', { userId: user.id }, async (registry, held) => {
        await registry.setPassword(held, passwordHash);
      });
    },

    disable: (reference: UserReference) =>
      change('user-disabled', reference, (registry, held) => registry.setDisabled(held, true)),

    enable: (reference: UserReference) =>
      change('user-enabled', reference, (registry, held) => registry.setDisabled(held, false)),

    remove: (reference: UserReference) => change('user-removed', reference, (registry, held) => registry.remove(held)),

    /** Mails the user a link that sets a new password. */
    async sendReset(reference: UserReference): Promise<void> {
      const { user, disabled } = await requireAccount(reference);
      if (options.sendReset === undefined)
        throw new ChangeRefused('Set MAIL_URL first, and let Janua write passwords.', 'no-mail');
      if (disabled) throw new ChangeRefused('The user is disabled. Enable them first.');
      await options.sendReset(user, actor);
      await record('reset-sent', { userId: user.id });
    },

    removeFactors: async (reference: UserReference): Promise<void> =>
      options.removeFactors((await requireAccount(reference)).user, actor, judge),

    /** Forgets the failures of a user. */
    async lift(reference: UserReference): Promise<number> {
      return options.lift({ userId: (await requireAccount(reference)).user.id }, actor);
    },

    /** The living sessions of a user, the latest first. */
    async listSessions(reference: UserReference): Promise<ListedSession[]> {
      const userId = await idOf(reference);
      const account = await users.findById(userId);
      return sessions.listOf(userId, account && stampOf(account));
    },

    async endSession(id: string): Promise<void> {
      if (!(await sessions.end([{ id }]))) throw new ChangeRefused('There is no session with that id.');
      await record('session-ended', { sessionId: id });
    },

    async endSessions(reference: UserReference): Promise<number> {
      const userId = await idOf(reference);
      // A user who is gone from the directory has no rights.
      const account = await users.findById(userId);
      if (account !== undefined) judge(account);
      const count = await sessions.endAllOf(userId);
      await record('sessions-ended', { userId, count });
      return count;
    },
  };
}
