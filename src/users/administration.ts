import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import { maxPasswordBytes, type Passwords } from '../passwords/passwords.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import type { ListedSession, Sessions } from '../sessions/sessions.ts';
import type { events } from './events.ts';
import { canonicalUsername, maxUsernameLength, type User } from './user.ts';
import type { ListedUser, UserDirectory, UserRegistry } from './user-directory.ts';

type EventKind = keyof typeof events | keyof typeof sessionEvents;

/** Shortest new password, in code points. NIST SP 800-63B-4 asks for it if the password is the only factor. */
export const minPasswordLength = 15;

const maxNameLength = 100;

/** A change that cannot be made. The message tells an administrator why. */
export class ChangeRefused extends Error {
  override readonly name = 'ChangeRefused';
}

/** A user to add, with names as typed. */
export interface UserDetails extends Omit<User, 'id'> {
  readonly password: string;
}

/** What an administrator may do. Every method throws `ChangeRefused` when it cannot. */
export interface Administration {
  add(details: UserDetails): Promise<User>;
  list(): AsyncIterable<ListedUser>;
  setPassword(username: string, password: string): Promise<void>;
  disable(username: string): Promise<void>;
  enable(username: string): Promise<void>;
  remove(username: string): Promise<void>;
  /** The living sessions of a user, the latest first. */
  listSessions(reference: UserReference): Promise<ListedSession[]>;
  endSession(id: string): Promise<void>;
  /** Ends all sessions of a user and gives how many there were. */
  endSessions(reference: UserReference): Promise<number>;
}

/** A user by name. A user who is gone from the directory is named by the id that their sessions carry. */
export type UserReference = { readonly username: string } | { readonly userId: string };

export interface AdministrationOptions {
  readonly users: UserDirectory;
  /** The same directory if this server may change it; undefined for a team's own table. */
  readonly registry: UserRegistry | undefined;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  /** Forgets the failed logins of a user. */
  readonly liftFailures: (user: User) => Promise<unknown>;
  readonly audit: Audit<EventKind>;
  /** The administrator. */
  readonly caller: Caller;
}

/** Changes users, and ends their sessions if the change requires it (ASVS 7.4.2). */
export function createAdministration(options: AdministrationOptions): Administration {
  const { users, registry, sessions, passwords, liftFailures, audit, caller } = options;

  const record = (kind: EventKind, event: Omit<AuditEvent, 'kind' | 'caller'>) =>
    audit.record({ kind, caller, ...event });

  function requireRegistry(): UserRegistry {
    if (registry !== undefined) return registry;
    throw new ChangeRefused(
      'USERS_TABLE is a table of your own, so Janua does not change its users. Change them in your application. ' +
        'To end the sessions of a user, run: janua sessions revoke-all EMAIL',
    );
  }

  async function idOf(reference: UserReference): Promise<string> {
    return 'userId' in reference ? reference.userId : (await find(reference.username)).id;
  }

  async function find(username: string): Promise<User> {
    const account = await users.findByUsername(canonicalUsername(username));
    if (account === undefined) throw new ChangeRefused('There is no user with that name.');
    return account.user;
  }

  /** Changes the user first, and ends the sessions afterwards. A login in between finds the user changed and ends its own session. */
  async function change(
    kind: EventKind,
    username: string,
    work: (registry: UserRegistry, user: User) => Promise<void>,
  ): Promise<void> {
    const registry = requireRegistry();
    const user = await find(username);
    await work(registry, user);
    await record(kind, { userId: user.id });
  }

  async function endAndLift(user: User): Promise<void> {
    await sessions.endAllOf(user.id);
    await liftFailures(user);
  }

  return {
    async add({ username, firstName, lastName, password }) {
      const registry = requireRegistry();
      const canonical = requireEmail(username);
      const names = { firstName: requireName(firstName), lastName: requireName(lastName) };
      requireGoodPassword(password, canonical);
      const passwordHash = await passwords.hash(password);
      const added = await registry.add({ username: canonical, ...names, passwordHash, demo: false });
      if (!added) throw new ChangeRefused('There is already a user with that name.');
      const user = await find(canonical);
      await record('user-added', { userId: user.id });
      return user;
    },

    list: () => users.list(),

    setPassword: (username, password) =>
      change('password-set', username, async (registry, user) => {
        requireGoodPassword(password, user.username);
        await registry.setPassword(user.id, await passwords.hash(password));
        await endAndLift(user);
      }),

    disable: (username) =>
      change('user-disabled', username, async (registry, { id }) => {
        await registry.setDisabled(id, true);
        await sessions.endAllOf(id);
      }),

    enable: (username) => change('user-enabled', username, (registry, { id }) => registry.setDisabled(id, false)),

    remove: (username) =>
      change('user-removed', username, async (registry, user) => {
        await registry.remove(user.id);
        await endAndLift(user);
      }),

    listSessions: async (reference) => sessions.listOf(await idOf(reference)),

    async endSession(id) {
      if (!(await sessions.end([{ id }]))) throw new ChangeRefused('There is no session with that id.');
      await record('session-ended', { sessionId: id });
    },

    async endSessions(reference) {
      const userId = await idOf(reference);
      const count = await sessions.endAllOf(userId);
      await record('sessions-ended', { userId, count });
      return count;
    },
  };
}

function requireEmail(username: string): string {
  const canonical = canonicalUsername(username);
  const wellFormed = /^[^\s@\p{Cc}\p{Cf}]+@[^\s@\p{Cc}\p{Cf}]+$/u.test(canonical) && canonical.isWellFormed();
  if (wellFormed && canonical.length <= maxUsernameLength) return canonical;
  throw new ChangeRefused(`A username must be one e-mail address of at most ${maxUsernameLength} characters.`);
}

function requireName(name: string): string {
  const trimmed = name.trim();
  if (trimmed.length <= maxNameLength && !/\p{Cc}/u.test(trimmed) && trimmed.isWellFormed()) return trimmed;
  throw new ChangeRefused(`A first or last name must be one line of at most ${maxNameLength} characters.`);
}

/** Checks the length, and that the password is not the name. Kinds of characters do not matter (ASVS 6.2.5). */
function requireGoodPassword(password: string, username: string): void {
  if ([...password].length < minPasswordLength) {
    throw new ChangeRefused(
      `A password must have at least ${minPasswordLength} characters. You can use a few words with spaces.`,
    );
  }
  if (Buffer.byteLength(password) > maxPasswordBytes || !password.isWellFormed()) {
    throw new ChangeRefused(`A password must have at most ${maxPasswordBytes} bytes.`);
  }
  if (canonicalUsername(password) === username) throw new ChangeRefused('A password must not be the username.');
}
