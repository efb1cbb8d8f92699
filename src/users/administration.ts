import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import { maxPasswordBytes, type Passwords } from '../passwords/passwords.ts';
import { minPasswordLength, type PasswordFault, type PasswordOwner, type PasswordPolicy } from '../passwords/policy.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import type { ListedSession, Sessions } from '../sessions/sessions.ts';
import type { Account } from './account.ts';
import { ChangeRefused } from './change-refused.ts';
import type { events } from './events.ts';
import type { Group, Groups } from './groups.ts';
import { canonicalUsername, emailAddress, maxNameLength, maxUsernameLength, personName, type User } from './user.ts';
import type { ListedUser, NewUser, UserDirectory, UserRegistry } from './user-directory.ts';

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
}

export interface GroupChange {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

export type Administration = ReturnType<typeof createAdministration>;

/** A user by name, or by id. Sessions name a user who is gone from the directory by id. */
export type UserReference = string | { readonly username: string } | { readonly userId: string };

/** Who acts: an operator by a command, or an administrator. */
export interface Actor {
  readonly caller: Caller;
  /** The id of the administrator. */
  readonly actorId?: string;
}

export interface AdministrationOptions {
  readonly users: UserDirectory;
  /** The same directory if this server may change it; undefined for a team's own table. */
  readonly registry: UserRegistry | undefined;
  readonly groups: Groups;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly passwordPolicy: PasswordPolicy;
  /** Voids the links that were mailed, and the personal access tokens. */
  readonly voidLinks: (userId: string) => Promise<void>;
  /** @param codes whether the failures of second factors too */
  readonly liftFailures: (user: User) => Promise<unknown>;
  /** Ends the waits of a user, and records it. */
  readonly lift: (target: { readonly userId: string }, actor: Actor) => Promise<number>;
  /** Mails the link by which an invited user begins, or gives it to be handed over. */
  readonly invite: (user: Account, byMail: boolean, actor: Actor) => Promise<string | undefined>;
  /** Undefined where no mail is sent, or no password can be set. */
  readonly sendReset: ((user: User, actor: Actor) => Promise<void>) | undefined;
  readonly removeFactors: (user: User, actor: Actor) => Promise<void>;
  readonly audit: Audit<EventKind>;
}

/**
 * What administrators do, by command and on pages. Ends sessions if the change requires it (ASVS 7.4.2). Every method throws `ChangeRefused`
 * when it cannot.
 */
export function createAdministration(options: AdministrationOptions, actor: Actor) {
  const { users, registry, groups, sessions, passwords, passwordPolicy, voidLinks, liftFailures, audit } = options;

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

  /** Changes the user first, and ends the sessions afterwards. A login in between finds the user changed and ends its own session. */
  async function change(
    kind: EventKind,
    reference: UserReference,
    work: (registry: UserRegistry, account: Account) => Promise<void>,
  ): Promise<void> {
    const registry = requireRegistry();
    const account = await find(reference);
    await work(registry, account);
    await record(kind, { userId: account.user.id });
  }

  async function hashNew(password: string, owner: PasswordOwner): Promise<string> {
    const fault = await passwordPolicy.findFault(password, owner);
    if (fault !== undefined) throw new ChangeRefused(passwordFaults[fault.code]);
    return passwords.hash(password);
  }

  /** Ends every way into the account that the user has opened so far. */
  async function shut(userId: string): Promise<void> {
    await voidLinks(userId);
    await sessions.endAllOf(userId);
  }

  async function setGroups(user: User, choose: (present: readonly string[]) => readonly string[]) {
    const names = await groups.setGroupsOf(user, (present) => {
      const fixed = user.groups.filter((name) => !present.includes(name));
      const chosen = choose(user.groups);
      const taken = fixed.find((name) => !chosen.includes(name));
      if (taken !== undefined)
        throw new ChangeRefused(
          `The user is in ${taken} by ADMINISTRATORS, or by a column of your table. Change it there.`,
        );
      return chosen.filter((name) => !fixed.includes(name));
    });
    await record('user-groups-changed', { userId: user.id, about: names.join(' ') });
    return names;
  }

  async function addUser(
    kind: 'user-added' | 'user-invited',
    { username, firstName, lastName, groups: chosen = [] }: Omit<UserDetails, 'password'>,
    complete: (owner: PasswordOwner) => Promise<Pick<NewUser, 'passwordHash' | 'addressProof'>>,
  ): Promise<Account> {
    const registry = requireRegistry();
    const canonical = requireEmail(username);
    const details = { username: canonical, firstName: requireName(firstName), lastName: requireName(lastName) };
    if (chosen.length > 0) await groups.scopesOf(chosen);
    const added = await registry.add({ ...details, ...(await complete(details)), demo: false });
    if (!added) throw new ChangeRefused('There is already a user with that name.', 'user-exists');
    const account = await find(canonical);
    await record(kind, { userId: account.user.id });
    if (chosen.length > 0) await setGroups(account.user, () => chosen);
    return account;
  }

  return {
    add: async ({ password, ...details }: UserDetails): Promise<User> =>
      (await addUser('user-added', details, async (owner) => ({ passwordHash: await hashNew(password, owner) }))).user,

    /** Adds a user who chooses a password by a link. Gives the link, unless it is mailed. */
    async invite(details: Omit<UserDetails, 'password'>, byMail: boolean) {
      // No login passes without a password. Until the link is opened, nothing but a mail leads into the account.
      const addressProof = byMail ? 'mail' : 'none';
      const account = await addUser('user-invited', details, async () => ({ passwordHash: '', addressProof }));
      return { id: account.user.id, link: await options.invite(account, byMail, actor) };
    },

    /** Changes the groups of a user, and gives their names. */
    async changeGroups(reference: UserReference, { add = [], remove = [] }: GroupChange): Promise<readonly string[]> {
      const { user } = await find(reference);
      if (add.length + remove.length === 0) return user.groups;
      return setGroups(user, (present) => [...present, ...add].filter((name) => !remove.includes(name)));
    },

    /** Puts a user into these groups only. */
    async setGroups(reference: UserReference, names: readonly string[]): Promise<readonly string[]> {
      return setGroups((await find(reference)).user, () => names);
    },

    listGroups: groups.list,

    async addGroup(group: Group): Promise<void> {
      await groups.add(group);
      await record('group-added', { about: group.name });
    },

    async setScopes(name: string, scopes: readonly string[]): Promise<void> {
      await groups.setScopes(name, scopes);
      await record('group-changed', { about: [name, ...scopes].join(' ') });
    },

    async removeGroup(name: string): Promise<void> {
      await groups.remove(name);
      await record('group-removed', { about: name });
    },

    list: (): AsyncIterable<ListedUser> => users.list(),

    setPassword: (reference: UserReference, password: string) =>
      change('password-set', reference, async (registry, account) => {
        const { user } = account;
        const isSet = await registry.setPassword(account, await hashNew(password, user));
        if (!isSet) throw new ChangeRefused('The user has changed meanwhile. Try again.');
        await shut(user.id);
        await liftFailures(user);
      }),

    disable: (reference: UserReference) =>
      change('user-disabled', reference, async (registry, { user }) => {
        await registry.setDisabled(user.id, true);
        await shut(user.id);
      }),

    enable: (reference: UserReference) =>
      change('user-enabled', reference, (registry, { user }) => registry.setDisabled(user.id, false)),

    remove: (reference: UserReference) =>
      change('user-removed', reference, async (registry, { user }) => {
        await registry.remove(user.id);
        await shut(user.id);
        await liftFailures(user);
      }),

    /** Mails the user a link that sets a new password. */
    async sendReset(reference: UserReference): Promise<void> {
      const { user, disabled } = await find(reference);
      if (options.sendReset === undefined)
        throw new ChangeRefused('Set MAIL_URL first, and let Janua write passwords.', 'no-mail');
      if (disabled) throw new ChangeRefused('The user is disabled. Enable them first.');
      await options.sendReset(user, actor);
      await record('reset-sent', { userId: user.id });
    },

    removeFactors: async (reference: UserReference): Promise<void> =>
      options.removeFactors((await find(reference)).user, actor),

    /** Forgets the failures of a user. */
    async lift(reference: UserReference): Promise<number> {
      return options.lift({ userId: (await find(reference)).user.id }, actor);
    },

    /** The living sessions of a user, the latest first. */
    listSessions: async (reference: UserReference): Promise<ListedSession[]> => sessions.listOf(await idOf(reference)),

    async endSession(id: string): Promise<void> {
      if (!(await sessions.end([{ id }]))) throw new ChangeRefused('There is no session with that id.');
      await record('session-ended', { sessionId: id });
    },

    async endSessions(reference: UserReference): Promise<number> {
      const userId = await idOf(reference);
      const count = await sessions.endAllOf(userId);
      await record('sessions-ended', { userId, count });
      return count;
    },
  };
}

export function requireEmail(username: string): string {
  const address = emailAddress(username);
  if (address !== undefined) return address;
  throw new ChangeRefused(`A username must be one e-mail address of at most ${maxUsernameLength} characters.`);
}

export function requireName(typed: string): string {
  const name = personName(typed);
  if (name !== undefined) return name;
  throw new ChangeRefused(`A first or last name must be one line of at most ${maxNameLength} characters.`);
}
