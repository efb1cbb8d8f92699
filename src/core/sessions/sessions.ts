import type { Database } from '../../ground/database/database.ts';
import { clockTolerance } from '../../ground/faults/clock.ts';
import { printable } from '../../ground/text/printable.ts';
import { type Claim, createSecret, createSessionId, formatCredential, hashSecret } from './credential.ts';
import type { AuthenticationMethod, Renewal, SessionRecord, TransactionalSessionStore } from './store.ts';

export type Session = SessionRecord;

export type ListedSession = Awaited<ReturnType<Sessions['listOf']>>[number];

export interface SessionStart extends Partial<Pick<Session, 'userAgent' | 'address' | 'remembered' | 'tokenScope'>> {
  readonly methods: readonly AuthenticationMethod[];
  readonly replaced?: readonly Pick<Session, 'id'>[];
}

/** The two credentials of a session. They are known only when they are made, because only their hashes are stored. */
export interface Credentials {
  readonly cookie: string;
  readonly accessToken: string;
  /** Seconds until the session ends, however much it is used. */
  readonly expiresInSeconds: number;
}

export type RenewedSession = Session & Credentials;

export interface StartedSession extends Session, Credentials {
  /** Ids of the user's oldest sessions. They have ended because the user had too many. */
  readonly displaced: readonly string[];
}

export type Sessions = ReturnType<typeof createSessions>;

export interface SessionLimits {
  readonly idleTimeoutSeconds: number;
  readonly lifetimeSeconds: number;
}

export interface SessionOptions extends SessionLimits {
  readonly store: TransactionalSessionStore;
  readonly remembered: SessionLimits;
  /** Living sessions that one user may have; a new one ends the oldest (ASVS 7.1.2). */
  readonly mostPerUser?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const longestUserAgent = 200;

export const keptUserAgent = (userAgent: string | undefined): string | undefined =>
  userAgent && printable(userAgent.slice(0, longestUserAgent));

/**
 * Starts, checks, refreshes and ends sessions. The idle timeout and the lifetime are computed from stored times (ASVS 7.3.1, 7.3.2). A
 * session ends
 * - at the idle timeout or at the end of its lifetime (`isAlive`);
 * - when it is the oldest of its user and there are too many (`start`);
 * - at a logout that presents it;
 * - at a login that presents it, and at once if its own login fails after it has started (`core/access/admit.ts`);
 * - at its next use after its account was removed or disabled, or has got another stamp (`core/access/access.ts`);
 * - when its user ends it;
 * - when its account changes: `core/changes/change-rules.ts` lists what each change ends;
 * - when an administrator ends it (`core/changes/administration.ts`).
 */
export function createSessions(options: SessionOptions) {
  const { store, mostPerUser = 100, now = Date.now } = options;
  const limitsOf = ({ remembered }: Pick<Session, 'remembered'>): SessionLimits =>
    remembered ? options.remembered : options;

  const latestEndOf = (session: Pick<Session, 'createdAt' | 'remembered'>): number =>
    session.createdAt + limitsOf(session).lifetimeSeconds * 1000;

  const endOf = (session: Pick<Session, 'createdAt' | 'remembered'>, lastSeenAt: number): number =>
    Math.min(latestEndOf(session), lastSeenAt + limitsOf(session).idleTimeoutSeconds * 1000);

  // A session with a time in the future comes from a wrong clock. It would outlive its limits, so it counts as ended.
  const isAlive = (session: Session, time: number) =>
    time < endOf(session, session.lastSeenAt) &&
    Math.max(session.createdAt, session.lastSeenAt) <= time + clockTolerance;

  // Milliseconds between two updates of `lastSeenAt`. One update a minute is enough, unless the idle timeout is short.
  const touchIntervalOf = (session: Session) => Math.min(60_000, limitsOf(session).idleTimeoutSeconds * 100);

  /** Does the same as `find` for a record that was looked up already. */
  async function judge(claim: Claim, record: SessionRecord): Promise<Session | undefined> {
    if (!claim.isProvenBy(record)) return undefined;
    const time = now();
    if (!isAlive(record, time)) return undefined;
    if (time - record.lastSeenAt >= touchIntervalOf(record)) await store.touch(record.id, time, endOf(record, time));
    return record;
  }

  function withSecrets(
    session: Omit<Session, keyof Renewal>,
    proof: Pick<Session, 'stamp' | 'methods' | 'authenticatedAt'>,
    time: number,
  ) {
    const cookieSecret = createSecret();
    const tokenSecret = createSecret();
    const record: SessionRecord = {
      ...session,
      ...proof,
      cookieHash: hashSecret(cookieSecret),
      tokenHash: hashSecret(tokenSecret),
      lastSeenAt: time,
      expiresAt: endOf(session, time),
    };
    const credentials: Credentials = {
      cookie: formatCredential('cookie', session.id, cookieSecret),
      accessToken: formatCredential('token', session.id, tokenSecret),
      expiresInSeconds: Math.floor((latestEndOf(session) - time) / 1000),
    };
    return { record, credentials };
  }

  return {
    /** Starts a session and ends those that it replaces, both or neither (ASVS 7.2.4). */
    async start(owner: Pick<Session, 'userId' | 'stamp'>, start: SessionStart): Promise<StartedSession> {
      const { methods, replaced = [], userAgent, address, remembered = false, tokenScope } = start;
      const time = now();
      const session = {
        id: createSessionId(),
        userId: owner.userId,
        createdAt: time,
        userAgent: keptUserAgent(userAgent),
        address,
        remembered,
        tokenScope,
      };
      const { record, credentials } = withSecrets(
        session,
        { stamp: owner.stamp, methods, authenticatedAt: time },
        time,
      );
      const replacedIds = replaced.map(({ id }) => id);
      await store.insert(record, replacedIds);
      // If this fails, the next login of the user removes the excess sessions.
      const displaced = await store.removeOldestOfUser(owner.userId, time, mostPerUser).catch(() => []);
      return { ...record, ...credentials, displaced };
    },

    /**
     * Replaces the credentials of a session. The old credentials become invalid. Returns undefined if the session has ended meanwhile.
     * @param changes the stamp, if the account has got a new one, and the methods by which the owner has just proved their identity
     */
    async renew(
      session: Session,
      changes: Partial<Pick<Session, 'stamp' | 'methods'>> = {},
    ): Promise<RenewedSession | undefined> {
      const time = now();
      const { stamp = session.stamp, methods = session.methods } = changes;
      const authenticatedAt = changes.methods === undefined ? session.authenticatedAt : time;
      const { record, credentials } = withSecrets(session, { stamp, methods, authenticatedAt }, time);
      return (await store.renew(session.id, record)) ? { ...record, ...credentials } : undefined;
    },

    /** Finds the living session of a claim. Counts as use of the session. */
    async find(claim: Claim): Promise<Session | undefined> {
      const record = claim.sessionId === undefined ? undefined : await store.find(claim.sessionId);
      return record && judge(claim, record);
    },

    judge,

    /** Returns the seconds by which the times of a session are in the future, if the session is refused for that reason. */
    secondsAhead(claim: Claim, record: SessionRecord): number | undefined {
      const lead = Math.max(record.createdAt, record.lastSeenAt) - now();
      return lead > clockTolerance && claim.isProvenBy(record) ? Math.round(lead / 1000) : undefined;
    },

    isAlive: (session: Session): boolean => isAlive(session, now()),

    /** Ends sessions and every credential bound to them. Returns false if none was left to end. */
    async end(sessions: readonly Pick<Session, 'id' | 'userId'>[]): Promise<boolean> {
      if (sessions.length === 0) return false;
      const ids = sessions.map((session) => session.id);
      return (await store.remove(ids, sessions[0]?.userId)) > 0;
    },

    /** Ends a session and runs `within`, which records the end, in the same transaction. Returns false if the session has ended already. */
    endWith: (id: string, within: (db: Database) => Promise<void>): Promise<boolean> => store.removeWith(id, within),

    /** Returns the id of the user of a session, or undefined if the session has ended. */
    findOwner: async (id: string): Promise<string | undefined> => (await store.find(id))?.userId,

    endAllOf: (userId: string): Promise<number> => store.removeOfUser(userId),

    endOthersOf: (userId: string, keptId: string): Promise<number> => store.removeOfUser(userId, keptId),

    /**
     * Lists the living sessions of a user, the latest first.
     * @param stamp the account's stamp. Sessions with another stamp have ended, or belong to a former user of the id, and are left out.
     * Undefined if the account is gone: all its sessions are listed
     */
    async listOf(userId: string, stamp: string | undefined) {
      const time = now();
      const own = (await store.listOfUser(userId)).filter((record) => stamp === undefined || record.stamp === stamp);
      const alive = own.filter((record) => isAlive(record, time));
      return alive
        .sort((one, other) => other.createdAt - one.createdAt)
        .map((record) => ({
          id: record.id,
          startedAt: new Date(record.createdAt),
          /** Accurate to a minute. */
          lastSeenAt: new Date(record.lastSeenAt),
          expiresAt: new Date(endOf(record, record.lastSeenAt)),
          userAgent: record.userAgent,
          address: record.address,
          remembered: record.remembered,
        }));
    },
  };
}
