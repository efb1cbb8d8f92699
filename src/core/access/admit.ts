import type { Language } from '../../ground/languages/languages.ts';
import type { AuditOf } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import type { Session, Sessions, StartedSession } from '../sessions/sessions.ts';
import type { AuthenticationMethod } from '../sessions/store.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { NoteLogin } from '../users/last-logins.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { Access, Presented } from './access.ts';
import type { events, ProvedBy } from './events.ts';
import { isPersonalToken } from './personal-tokens.ts';
import { grantScope } from './scope.ts';

/** Proof that the caller owns an account. */
export interface Proof {
  readonly account: Account;
  readonly methods: readonly AuthenticationMethod[];
  /** Whether the proof still holds for the account after a change. A parallel login may have rehashed the password. */
  stillHolds(current: Account): Promise<boolean>;
}

/** The part of its request that a login needs. */
export interface LoginRequest {
  /** A login ends every session that was presented with it. */
  readonly presented: Presented;
  readonly language: Language;
  /** Cookies tell whether the account has used the browser before, and whether its user trusts it. */
  readonly headers: { readonly cookie?: string | undefined };
  /** Where the login leads, if `web/next.ts` allows it. A mail that the login needs keeps it. */
  readonly next?: string | undefined;
}

export interface Admission extends LoginRequest {
  readonly caller: Caller;
  readonly remembered?: boolean;
  /** The scopes that the access token is to carry, separated by spaces. Without it: all scopes of the user. */
  readonly scope?: string | undefined;
  /** For the audit. `reason` says how the user proved their identity. Janua mails the user about a login from a browser that is not known. */
  readonly event: Pick<AuditEvent, 'throttle' | 'knownBrowser' | 'about'> & { readonly reason: ProvedBy };
}

/**
 * Gives a function that mails the user about a login from a new browser or program. Runs before the session starts, because the start may
 * end the session by which a program is known.
 */
export type NoticeSignIn = (
  login: Pick<Admission, 'language' | 'caller'> & { readonly account: Account },
) => Promise<(() => Promise<void>) | undefined>;

/**
 * Decides whether the proof is enough for the account. Gives the substitute for a second factor, if there was one, for the audit.
 * @throws {Refusal} if the proof is not enough
 */
export type Demand = (proof: Proof, admission: Admission) => Promise<'trusted-browser' | undefined>;

export interface Admitted {
  /** As read after the session was stored. */
  readonly account: Account;
  readonly session: StartedSession;
  readonly wasSignedIn: boolean;
}

type Started = Omit<Admitted, 'wasSignedIn'>;

/**
 * Every login goes through here. It starts a session, ends those that it replaces, and records the login: all or nothing
 * (ASVS 2.3.3, 7.2.4). Undefined if the account was disabled, removed or changed meanwhile and the proof no longer holds.
 * @throws {Refusal} if a second factor is missing
 * @throws {Unavailable} when a store cannot be reached, or the login cannot be recorded
 */
export type Admit = (proof: Proof, admission: Admission) => Promise<Admitted | undefined>;

export interface AdmitOptions {
  readonly access: Access;
  readonly sessions: Sessions;
  readonly users: Pick<UserDirectory, 'findById'>;
  readonly audit: AuditOf<typeof events & typeof sessionEvents>;
  readonly demand: Demand;
  readonly noticeSignIn: NoticeSignIn | undefined;
  readonly noteLogin: NoteLogin;
  /**
   * Takes note of a password or a name that another program has changed in a team's own table, and ends what the former one left. Gives the
   * account as it is then. Undefined if the user is gone.
   * @throws {ChangeRefused} `no-such-user`
   */
  readonly acceptChanges: (account: Account, caller: Caller) => Promise<Account | undefined>;
}

/** Nothing else calls `sessions.start`. */
export function createAdmit(options: AdmitOptions): Admit {
  const { access, sessions, users, audit, demand, noticeSignIn, noteLogin, acceptChanges } = options;

  /** If a step of a login fails, its session ends. */
  const orEnd = <Result>(session: Session, step: Promise<Result> | undefined) =>
    step?.catch(async (error: unknown) => {
      await sessions.end([session]);
      throw error;
    });

  /**
   * Reads the account again after the session is stored. A change made before that found no session to end. This is why session and event
   * are two commits, although these slow down other requests during many logins.
   */
  async function start(proof: Proof, admission: Admission, replaced: readonly Session[]): Promise<Started | undefined> {
    const { account, methods } = proof;
    const { caller, remembered = false, scope } = admission;
    const tokenScope = grantScope(scope, account.scopes);
    const how = { methods, replaced, tokenScope, remembered, userAgent: caller.userAgent, address: caller.address };
    const owner = { userId: account.user.id, stamp: stampOf(account) };
    const session = await sessions.start(owner, how);
    const current = await orEnd(session, users.findById(account.user.id));
    const isEnabled = current !== undefined && !current.disabled;
    if (isEnabled && stampOf(current) === session.stamp) return { account: current, session };
    await sessions.end([session]);
    // The session must carry the current stamp.
    if (!isEnabled || !(await proof.stillHolds(current))) return undefined;
    const again = { ...proof, account: current };
    await demand(again, admission);
    return start(again, admission, []);
  }

  /** The same proof for the account as it is now. Undefined if it no longer holds. */
  async function renewProof(proof: Proof, caller: Caller): Promise<Proof | undefined> {
    const account = await acceptChanges(proof.account, caller);
    if (account === proof.account) return proof;
    const isSame = account !== undefined && stampOf(account) === stampOf(proof.account);
    return account && (isSame || (await proof.stillHolds(account))) ? { ...proof, account } : undefined;
  }

  return async (given, admission) => {
    const { presented, caller, event, language } = admission;
    const proof = await renewProof(given, caller);
    if (proof === undefined) return undefined;
    const stoodFor = await demand(proof, admission);
    const reason = [event.reason, stoodFor].filter(Boolean).join('+');
    const tellUser =
      event.knownBrowser === false && (await noticeSignIn?.({ account: proof.account, language, caller }));
    const signedIn = await access.findSignedIn(presented);
    // Usually one credential is presented, and its session is found already. If both are, the other one may belong to another session.
    const { cookie, accessToken } = presented;
    const isOneSession = !isPersonalToken(accessToken) && (cookie === undefined || accessToken === undefined);
    const replaced = signedIn && isOneSession ? [signedIn.session] : await access.findPresentedSessions(presented);
    const started = await start(proof, admission, replaced);
    if (started === undefined) return undefined;
    const { session } = started;
    const { id: sessionId, userId } = session;
    const recorded = audit.record({ kind: 'login-succeeded', caller, userId, sessionId, ...event, reason });
    // The login counts even if its time cannot be noted. Beside the event, it shares the event's commit on SQLite.
    await Promise.all([orEnd(session, recorded), noteLogin(started.account.user).catch(() => {})]);
    const ended = [
      ...replaced.map((former) => ({ reason: 'replaced', userId: former.userId, sessionId: former.id })),
      ...session.displaced.map((id) => ({ reason: 'too-many', userId, sessionId: id })),
    ];
    await orEnd(session, tellUser ? tellUser() : undefined);
    for (const details of ended) await audit.recordIfPossible({ kind: 'session-ended', caller, ...details });
    return { ...started, wasSignedIn: signedIn !== undefined };
  };
}
