import { randomInt } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import type { Return } from '../forward-auth/host-credentials.ts';
import { maxPasswordBytes, type Passwords } from '../passwords/passwords.ts';
import type { Session, Sessions, StartedSession } from '../sessions/sessions.ts';
import { createAuthentication } from '../sign-in/authentication.ts';
import type { Attempt, Throttle } from '../throttle/throttle.ts';
import { passwordFingerprint } from '../users/password-fingerprint.ts';
import { canonicalUsername, maxUsernameLength, type User } from '../users/user.ts';
import type { Account, UserDirectory } from '../users/user-directory.ts';
import { Refusal } from './refusal.ts';

/** The credentials that a request presents. Where there is an access token, it alone says who is asking (RFC 6750 3.1). */
export interface Presented {
  readonly cookie?: string | undefined;
  readonly accessToken?: string | undefined;
  /** What another host keeps of a session, never beside our own cookie. It shows who is asking there, and is good for nothing else. */
  readonly hostCredential?: { readonly origin: string; readonly value: string } | undefined;
}

export interface LoginAttempt {
  readonly username: string;
  readonly password: string;
  /** A login ends every session that was presented with it. */
  readonly presented: Presented;
  /** The address that the throttle counts by, or undefined where it cannot be told. */
  readonly network: string | undefined;
  /** The network that one party may hold, or undefined where it cannot be told. */
  readonly endSite: string | undefined;
  /** The identifier of the browser, if the account of that fingerprint has signed in with it before. */
  findKnownBrowser(fingerprint: string): string | undefined;
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
  logIn(attempt: LoginAttempt, caller: Caller): Promise<Login>;
  /**
   * Ends every session that is presented.
   * @throws {Refusal} `no-session` when there was none
   */
  logOut(presented: Presented, caller: Caller): Promise<void>;
  findUser(presented: Presented): Promise<User | undefined>;
  /** @throws {Refusal} `not-authenticated`, or `invalid-token` where an access token was presented */
  requireUser(presented: Presented, caller: Caller): Promise<User>;
  /** A ticket that takes the session to another host. Undefined when nobody is signed in. */
  createTicket(presented: Presented, way: Return): Promise<string | undefined>;
  /** The host's credential for a ticket; undefined when it is good for nothing, or its user may not come in any more. */
  redeemTicket(ticket: string, way: Return): Promise<string | undefined>;
}

export interface IdentityOptions {
  readonly users: UserDirectory;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly throttle: Throttle;
  readonly audit: Audit;
  readonly log: { warn(details: object, message: string): void };
  /** Milliseconds before which no failed login is answered, so that the kind of failure cannot be told by the clock (ASVS 6.3.8). */
  readonly failureFloor?: number;
}

/** Steps in which chance is drawn: more than there are microseconds in what it adds. */
const chances = 2 ** 20;

export function createIdentity(options: IdentityOptions): Identity {
  const { users, sessions, passwords, throttle, audit, failureFloor = 250 } = options;
  const authentication = createAuthentication(options);

  /** For what is carried out whether or not it can be recorded: a refusal, and a farewell. The log has it in any case. */
  const recordIfPossible = (event: AuditEvent) => audit.record(event).catch(() => {});

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
    return current && (await authentication.mayStay(current, password))
      ? startSession(current, password, [])
      : undefined;
  }

  async function findPresentedSessions({ cookie, accessToken }: Presented): Promise<Session[]> {
    const found = [
      cookie === undefined ? undefined : await sessions.find('cookie', cookie),
      accessToken === undefined ? undefined : await sessions.find('token', accessToken),
    ];
    // Both may be of the same one.
    return [
      ...new Map(found.filter((session) => session !== undefined).map((session) => [session.id, session])).values(),
    ];
  }

  async function findUser({ cookie, accessToken, hostCredential }: Presented): Promise<User | undefined> {
    let session: Session | undefined;
    if (accessToken !== undefined) session = await sessions.find('token', accessToken);
    else if (cookie !== undefined) session = await sessions.find('cookie', cookie);
    else if (hostCredential !== undefined)
      session = await sessions.findAtHost(hostCredential.origin, hostCredential.value);
    if (session === undefined) return undefined;
    const account = await users.findById(session.userId);
    if (account !== undefined && mayHave(session, account)) return account.user;
    // Over for good: whoever is let in again later logs in again. Where it cannot be ended now, it is refused all the same.
    await sessions.end([session]).catch(() => {});
    return undefined;
  }

  /** Refuses no earlier than a floor after the start, and by chance a little later. */
  async function refuse(refusal: Refusal, start: number, floor: number): Promise<never> {
    // A timer waits whole milliseconds from when it is set: its end would tell when that was, and so what went before (ASVS 6.3.8).
    const chance = (failureFloor / 25) * (randomInt(chances) / chances);
    const earliest = start + floor + chance;
    // It may fire early, too: it counts from when the event loop last looked at the clock.
    for (let rest = earliest - performance.now(); rest > 0; rest = earliest - performance.now())
      await setTimeout(Math.ceil(rest));
    throw refusal;
  }

  const refuseCredentials = (start: number): Promise<never> =>
    refuse(new Refusal('invalid-credentials'), start, Math.max(failureFloor, passwords.failureFloor()));

  return {
    async logIn({ username, password, presented, network, endSite, findKnownBrowser }, caller) {
      requireComplete(username, password);
      const start = performance.now();
      const name = canonicalUsername(username);
      const account = await users.findByUsername(name);
      const attempt: Attempt = {
        address: network,
        endSite,
        nameDigest: audit.digestName(name),
        account: account && { id: account.user.id, fingerprint: passwordFingerprint(account) },
        knownBrowser: account && findKnownBrowser(passwordFingerprint(account)),
      };
      const throttled = await throttle.attempt(attempt, () => authentication.authenticate(account, password));
      const event = {
        caller,
        ...(account === undefined ? { nameDigest: attempt.nameDigest } : { userId: account.user.id }),
        throttle: throttled.trace,
        knownBrowser: attempt.knownBrowser !== undefined,
      };
      if (!throttled.passed) {
        await recordIfPossible({ kind: 'login-throttled', ...event });
        // With an account there is a little more to look at: that is covered as well.
        return refuse(new Refusal('too-many-attempts', throttled.retryAfterSeconds), start, failureFloor / 10);
      }
      const { result } = throttled;
      if (!result.succeeded) {
        await recordIfPossible({ kind: 'login-failed', reason: result.reason, ...event });
        if (throttled.stops) await recordIfPossible({ kind: 'account-stopped', ...event });
        return refuseCredentials(start);
      }
      const wasSignedIn = (await findUser(presented)) !== undefined;
      const replaced = await findPresentedSessions(presented);
      const session = await startSession(result.account, password, replaced);
      if (session === undefined) {
        await recordIfPossible({ kind: 'login-failed', reason: 'changed-meanwhile', ...event });
        return refuseCredentials(start);
      }
      await audit.record({ kind: 'login-succeeded', sessionId: session.id, ...event }).catch(async (error: unknown) => {
        // Nobody comes in unrecorded.
        await sessions.end([session]);
        throw error;
      });
      for (const { id: sessionId, userId } of replaced)
        await recordIfPossible({ kind: 'session-ended', reason: 'replaced', caller, userId, sessionId });
      for (const sessionId of session.displaced)
        await recordIfPossible({
          kind: 'session-ended',
          reason: 'too-many',
          caller,
          userId: session.userId,
          sessionId,
        });
      return { user: result.account.user, session, wasSignedIn };
    },

    async logOut(presented, caller) {
      const ended = await findPresentedSessions(presented);
      if (!(await sessions.end(ended))) {
        await recordIfPossible({ kind: 'logout-refused', reason: reasonOf(presented, caller), caller });
        throw new Refusal('no-session');
      }
      // Whoever leaves has left, whether or not it could be recorded.
      for (const { id: sessionId, userId } of ended)
        await recordIfPossible({ kind: 'logged-out', caller, userId, sessionId });
    },

    findUser,

    async requireUser(presented, caller) {
      const user = await findUser(presented);
      if (user !== undefined) return user;
      await recordIfPossible({ kind: 'access-refused', reason: reasonOf(presented, caller), caller });
      throw new Refusal(presented.accessToken === undefined ? 'not-authenticated' : 'invalid-token');
    },

    async createTicket({ cookie, accessToken }, way) {
      if (accessToken !== undefined) return sessions.createTicket('token', accessToken, way);
      return cookie === undefined ? undefined : sessions.createTicket('cookie', cookie, way);
    },

    async redeemTicket(ticket, way) {
      const value = await sessions.redeemTicket(ticket, way);
      if (value === undefined) return undefined;
      const user = await findUser({ hostCredential: { origin: way.origin, value } });
      return user && value;
    },
  };
}

/** Why whoever presents this is not signed in. */
function reasonOf({ cookie, accessToken, hostCredential }: Presented, { trace }: Caller): string {
  if (accessToken !== undefined) return 'invalid-token';
  if (cookie !== undefined || hostCredential !== undefined) return 'dead-cookie';
  return trace?.cookie === 'several' ? 'several-cookies' : 'no-credential';
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
