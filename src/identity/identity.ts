import { setTimeout } from 'node:timers/promises';
import type { Session, Sessions, StartedSession } from '../sessions/sessions.ts';
import { maxPasswordBytes, type Passwords } from './password.ts';
import { Refusal } from './refusal.ts';
import { canonicalUsername, maxUsernameLength, type User } from './user.ts';
import type { Account, UserDirectory } from './user-directory.ts';

/** The credentials that a request presents. Where there is an access token, it alone says who is asking (RFC 6750 3.1). */
export interface Presented {
  readonly cookie?: string | undefined;
  readonly accessToken?: string | undefined;
}

export interface LoginAttempt {
  readonly username: string;
  readonly password: string;
  /** A login ends every session that was presented with it. */
  readonly presented: Presented;
}

export interface Login {
  readonly user: User;
  readonly session: StartedSession;
  /** Whether the one who logged in was signed in before. */
  readonly wasSignedIn: boolean;
}

/** What the server is for: who comes in, who is in, and who leaves. */
export interface Identity {
  /** @throws {Refusal} `incomplete-login`, `invalid-credentials`, `too-many-attempts` */
  logIn(attempt: LoginAttempt): Promise<Login>;
  /**
   * Ends every session that is presented.
   * @throws {Refusal} `no-session` when there was none
   */
  logOut(presented: Presented): Promise<void>;
  findUser(presented: Presented): Promise<User | undefined>;
  /** @throws {Refusal} `not-authenticated`, or `invalid-token` where an access token was presented */
  requireUser(presented: Presented): Promise<User>;
}

export interface IdentityOptions {
  readonly users: UserDirectory;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  /** Milliseconds before which no failed login is answered, so that the kind of failure cannot be told by the clock (ASVS 6.3.8). */
  readonly failureFloor?: number;
}

export function createIdentity({ users, sessions, passwords, failureFloor = 250 }: IdentityOptions): Identity {
  /** The account whose name and password these are, if it may sign in. */
  async function authenticate(username: string, password: string): Promise<Account | undefined> {
    const account = await users.findByUsername(canonicalUsername(username));
    const check = await passwords.check(account?.passwordHash, password);
    if (account === undefined || account.disabled || !check.matches) return undefined;
    if (check.replacement === undefined) return account;
    await users.replacePasswordHash(account.user.id, account.passwordHash, check.replacement);
    return { ...account, passwordHash: check.replacement };
  }

  /** Whether what was true before the session started is still true: a user may be disabled or get a new password meanwhile. */
  async function isStillValid(account: Account, password: string): Promise<boolean> {
    const current = await users.findById(account.user.id);
    if (current === undefined || current.disabled) return false;
    if (current.passwordHash === account.passwordHash) return true;
    return (await passwords.check(current.passwordHash, password)).matches;
  }

  async function findPresentedSessions({ cookie, accessToken }: Presented): Promise<Session[]> {
    const found = [
      cookie === undefined ? undefined : await sessions.find('cookie', cookie),
      accessToken === undefined ? undefined : await sessions.find('token', accessToken),
    ];
    return found.filter((session) => session !== undefined);
  }

  async function findUser({ cookie, accessToken }: Presented): Promise<User | undefined> {
    let session: Session | undefined;
    if (accessToken !== undefined) session = await sessions.find('token', accessToken);
    else if (cookie !== undefined) session = await sessions.find('cookie', cookie);
    if (session === undefined) return undefined;
    const account = await users.findById(session.userId);
    return account === undefined || account.disabled ? undefined : account.user;
  }

  async function refuse(earliest: number): Promise<never> {
    await setTimeout(Math.max(0, earliest - performance.now()));
    throw new Refusal('invalid-credentials');
  }

  return {
    async logIn({ username, password, presented }) {
      requireComplete(username, password);
      const earliestFailure = performance.now() + failureFloor;
      const account = await authenticate(username, password);
      if (account === undefined) return refuse(earliestFailure);
      const wasSignedIn = (await findUser(presented)) !== undefined;
      const session = await sessions.start(account.user.id, await findPresentedSessions(presented));
      const valid = await isStillValid(account, password).catch(async (error: unknown) => {
        // It could not be found out: then nobody gets this session (ASVS 2.3.3).
        await sessions.end([session]);
        throw error;
      });
      if (!valid) {
        await sessions.end([session]);
        return refuse(earliestFailure);
      }
      return { user: account.user, session, wasSignedIn };
    },

    async logOut(presented) {
      if (!(await sessions.end(await findPresentedSessions(presented)))) throw new Refusal('no-session');
    },

    findUser,

    async requireUser(presented) {
      const user = await findUser(presented);
      if (user !== undefined) return user;
      throw new Refusal(presented.accessToken === undefined ? 'not-authenticated' : 'invalid-token');
    },
  };
}

/** Checked before any look-up or hashing, in characters and bytes (long input costs time; lone surrogates have no bytes). */
function requireComplete(username: string, password: string): void {
  const usernameFits = username.trim() !== '' && username.length <= maxUsernameLength && username.isWellFormed();
  const passwordFits = password !== '' && Buffer.byteLength(password) <= maxPasswordBytes && password.isWellFormed();
  if (!usernameFits || !passwordFits) throw new Refusal('incomplete-login');
}
