import { setTimeout } from 'node:timers/promises';
import type { Session, Sessions, StartedSession } from '../sessions/sessions.ts';
import { maxPasswordBytes, type Passwords } from './password.ts';
import { passwordFingerprint } from './password-fingerprint.ts';
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
  readonly log: { warn(details: object, message: string): void };
  /** Milliseconds before which no failed login is answered, so that the kind of failure cannot be told by the clock (ASVS 6.3.8). */
  readonly failureFloor?: number;
}

export function createIdentity({ users, sessions, passwords, log, failureFloor = 250 }: IdentityOptions): Identity {
  /** The account whose name and password these are, if it may sign in. */
  async function authenticate(username: string, password: string): Promise<Account | undefined> {
    const account = await users.findByUsername(canonicalUsername(username));
    const check = await passwords.check(account?.passwordHash, password);
    if (account === undefined || account.disabled || !check.matches) return undefined;
    if (check.replacement === undefined) return account;
    await users
      .replacePasswordHash(account.user.id, account.passwordHash, check.replacement)
      // The login goes on with the hash that there is.
      .catch((err: unknown) =>
        log.warn({ event: 'password_not_stored_anew', err }, 'a weak hash could not be replaced'),
      );
    // Read again: another login may have stored one at the same time, and the first stays.
    return users.findById(account.user.id);
  }

  /** Whether a user who was let in may still come in: they may be disabled, or get a new password, in the meantime. */
  async function mayStay(current: Account | undefined, password: string): Promise<boolean> {
    if (current === undefined || current.disabled) return false;
    return (await passwords.check(current.passwordHash, password)).matches;
  }

  /** A session for the account, or undefined when it changed meanwhile in a way that keeps its owner out. */
  async function startSession(
    account: Account,
    password: string,
    replaced: readonly Session[],
  ): Promise<StartedSession | undefined> {
    const owner = { userId: account.user.id, passwordFingerprint: passwordFingerprint(account) };
    const session = await sessions.start(owner, replaced);
    const current = await users.findById(account.user.id).catch(async (error: unknown) => {
      // It could not be found out: then nobody gets this session (ASVS 2.3.3).
      await sessions.end([session]);
      throw error;
    });
    if (current !== undefined && !current.disabled && current.passwordHash === account.passwordHash) return session;
    await sessions.end([session]);
    // The same password, stored anew by another login: the session must carry the fingerprint of what is stored now.
    return current && (await mayStay(current, password)) ? startSession(current, password, []) : undefined;
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
    if (account !== undefined && mayHave(session, account)) return account.user;
    // Over for good: whoever is let in again later logs in again. Where it cannot be ended now, it is refused all the same.
    await sessions.end([session]).catch(() => {});
    return undefined;
  }

  async function refuse(start: number): Promise<never> {
    const earliest = start + Math.max(failureFloor, passwords.failureFloor());
    // A timer may fire early: it counts whole milliseconds, from when the event loop last looked at the clock.
    for (let rest = earliest - performance.now(); rest > 0; rest = earliest - performance.now())
      await setTimeout(Math.ceil(rest));
    throw new Refusal('invalid-credentials');
  }

  return {
    async logIn({ username, password, presented }) {
      requireComplete(username, password);
      const start = performance.now();
      const account = await authenticate(username, password);
      if (account === undefined) return refuse(start);
      const wasSignedIn = (await findUser(presented)) !== undefined;
      const session = await startSession(account, password, await findPresentedSessions(presented));
      if (session === undefined) return refuse(start);
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

/** Whether an account may have a session that was started for it: not when it is disabled, or has got another password since. */
const mayHave = (session: Session, account: Account) =>
  !account.disabled && session.passwordFingerprint === passwordFingerprint(account);

/** Checked before any look-up or hashing, in characters and bytes (long input costs time; lone surrogates have no bytes). */
function requireComplete(username: string, password: string): void {
  const usernameFits = username.trim() !== '' && username.length <= maxUsernameLength && username.isWellFormed();
  const passwordFits = password !== '' && Buffer.byteLength(password) <= maxPasswordBytes && password.isWellFormed();
  if (!usernameFits || !passwordFits) throw new Refusal('incomplete-login');
}
