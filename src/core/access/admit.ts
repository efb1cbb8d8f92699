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

/** The parts of a request that a login needs. */
export interface LoginRequest {
  /** The credentials that the request presents. The login ends their sessions. */
  readonly presented: Presented;
  readonly language: Language;
  /** The cookies tell whether the account was used in this browser before, and whether its user trusts the browser. */
  readonly headers: { readonly cookie?: string | undefined };
  /** The path to continue at after the login, if `web/next.ts` allows it. A link to add a second factor contains the path too. */
  readonly next?: string | undefined;
}

export interface Admission extends LoginRequest {
  readonly caller: Caller;
  readonly remembered?: boolean;
  /** The scopes that the access token is to carry, separated by spaces. Undefined: all scopes of the user. */
  readonly scope?: string | undefined;
  /**
   * Details for the audit. `reason` says how the user proved their identity. If `knownBrowser` is false, Janua mails the user about the
   * login.
   */
  readonly event: Pick<AuditEvent, 'throttle' | 'knownBrowser' | 'about'> & { readonly reason: ProvedBy };
}

/**
 * Returns a function that mails the user about a login from a new browser or program. Called before the session starts, because the start
 * may end the session by which a program is known.
 */
export type NoticeSignIn = (
  login: Pick<Admission, 'language' | 'caller'> & { readonly account: Account },
) => Promise<(() => Promise<void>) | undefined>;

/**
 * Decides whether the proof is enough for the account. Returns the substitute for a second factor, if there was one, for the audit.
 * @throws {Refusal} if the proof is not enough
 */
export type RequireSecondFactor = (proof: Proof, admission: Admission) => Promise<'trusted-browser' | undefined>;

export interface Admitted {
  /** The account, as read after the session was stored. */
  readonly account: Account;
  readonly session: StartedSession;
  readonly wasSignedIn: boolean;
}

type Started = Omit<Admitted, 'wasSignedIn'>;

/**
 * Completes every login: starts a session, ends those that it replaces, and records the login, all or nothing (ASVS 2.3.3, 7.2.4). Returns
 * undefined if the account was disabled, removed or changed meanwhile and the proof no longer holds.
 * @throws {Refusal} if a second factor is missing
 * @throws {Unavailable} when a store cannot be reached, or the login cannot be recorded
 */
export type Admit = (proof: Proof, admission: Admission) => Promise<Admitted | undefined>;

export interface AdmitOptions {
  readonly access: Access;
  readonly sessions: Sessions;
  readonly users: Pick<UserDirectory, 'findById'>;
  readonly audit: AuditOf<typeof events & typeof sessionEvents>;
  readonly requireSecondFactor: RequireSecondFactor;
  readonly noticeSignIn: NoticeSignIn | undefined;
  readonly noteLogin: NoteLogin;
  /**
   * Notes a password or a name that another program has changed in a team's own table, and ends what depends on the former one
   * (`core/changes/change-rules.ts`). Returns the account after that, or undefined if the user is gone.
   * @throws {ChangeRefused} `no-such-user`
   */
  readonly acceptChanges: (account: Account, caller: Caller) => Promise<Account | undefined>;
}

/** The only caller of `sessions.start`. */
export function createAdmit(options: AdmitOptions): Admit {
  const { access, sessions, users, audit, requireSecondFactor, noticeSignIn, noteLogin, acceptChanges } = options;

  /** Ends the session of a login if a later step fails. */
  const endOnFailure = <Result>(session: Session, step: Promise<Result> | undefined) =>
    step?.catch(async (error: unknown) => {
      await sessions.end([session]);
      throw error;
    });

  /**
   * Starts the session, and then reads the account again: a change of the account just before the start found no session to end. This read
   * needs a committed session. The event is therefore a second commit, although that slows down other requests during many logins.
   */
  async function start(proof: Proof, admission: Admission, replaced: readonly Session[]): Promise<Started | undefined> {
    const { account, methods } = proof;
    const { caller, remembered = false, scope } = admission;
    const tokenScope = grantScope(scope, account.scopes);
    const how = { methods, replaced, tokenScope, remembered, userAgent: caller.userAgent, address: caller.address };
    const owner = { userId: account.user.id, stamp: stampOf(account) };
    const session = await sessions.start(owner, how);
    const current = await endOnFailure(session, users.findById(account.user.id));
    const isEnabled = current !== undefined && !current.disabled;
    if (isEnabled && stampOf(current) === session.stamp) return { account: current, session };
    await sessions.end([session]);
    // The account has changed. A session must carry the current stamp (`stampOf`), so another session is started.
    if (!isEnabled || !(await proof.stillHolds(current))) return undefined;
    const again = await renewProof({ ...proof, account: current }, caller);
    if (again === undefined) return undefined;
    await requireSecondFactor(again, admission);
    return start(again, admission, []);
  }

  /** Returns the same proof for the account as it is now, or undefined if the proof no longer holds. */
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
    const factorSubstitute = await requireSecondFactor(proof, admission);
    const reason = [event.reason, factorSubstitute].filter(Boolean).join('+');
    const tellUser =
      event.knownBrowser === false && (await noticeSignIn?.({ account: proof.account, language, caller }));
    const signedIn = await access.findSignedIn(presented);
    // Usually the request presents one credential, whose session is found already. If it presents a cookie and a token, these may belong to
    // two sessions.
    const { cookie, accessToken } = presented;
    const isOneSession = !isPersonalToken(accessToken) && (cookie === undefined || accessToken === undefined);
    const replaced = signedIn && isOneSession ? [signedIn.session] : await access.findPresentedSessions(presented);
    const started = await start(proof, admission, replaced);
    if (started === undefined) return undefined;
    const { session } = started;
    const { id: sessionId, userId } = session;
    const recorded = audit.record({ kind: 'login-succeeded', caller, userId, sessionId, ...event, reason });
    // The login succeeds even if its time cannot be noted. Both writes run at once, because they then share a commit on SQLite.
    await Promise.all([endOnFailure(session, recorded), noteLogin(started.account.user).catch(() => {})]);
    const ended = [
      ...replaced.map((former) => ({ reason: 'replaced', userId: former.userId, sessionId: former.id })),
      ...session.displaced.map((id) => ({ reason: 'too-many', userId, sessionId: id })),
    ];
    await endOnFailure(session, tellUser ? tellUser() : undefined);
    for (const details of ended) await audit.recordIfPossible({ kind: 'session-ended', caller, ...details });
    return { ...started, wasSignedIn: signedIn !== undefined };
  };
}
