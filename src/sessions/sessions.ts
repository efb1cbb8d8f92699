import { clockTolerance } from '../faults/clock.ts';
import { printable } from '../text/printable.ts';
import { type Claim, createSecret, createSessionId, formatCredential, hashSecret } from './credential.ts';
import type { AuthenticationMethod, SessionRecord, SessionStore } from './store.ts';

/** A session that is alive. */
export type Session = SessionRecord;

/** A session as an administrator sees it. */
export type ListedSession = Awaited<ReturnType<Sessions['listOf']>>[number];

/** How a session begins. */
export interface SessionStart extends Partial<Pick<Session, 'userAgent' | 'address'>> {
  readonly methods: readonly AuthenticationMethod[];
  /** Sessions that end when this one starts. */
  readonly replaced?: readonly Pick<Session, 'id'>[];
}

/** A session that was just started, with its two credentials. They are known only at this moment. */
export interface StartedSession extends Session {
  /** The value of the session cookie. */
  readonly cookie: string;
  readonly accessToken: string;
  /** Ids of the user's oldest sessions. They have ended because the user had too many. */
  readonly displaced: readonly string[];
  /** Seconds until the session ends if it is not used again. */
  readonly expiresInSeconds: number;
}

export type Sessions = ReturnType<typeof createSessions>;

export interface SessionOptions {
  readonly store: SessionStore;
  readonly idleTimeoutSeconds: number;
  readonly lifetimeSeconds: number;
  /** Living sessions that one user may have; a new one ends the oldest (ASVS 7.1.2). */
  readonly mostPerUser?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Most characters of a `User-Agent` that are kept. */
const longestUserAgent = 200;

/**
 * Starts, checks, refreshes and ends sessions. Both limits are computed from stored times (ASVS 7.3.1, 7.3.2). A session ends
 * - at the idle timeout or at the end of its lifetime (`isAlive`);
 * - when it is the oldest of its user and there are too many (`start`);
 * - at a logout that presents it (`sign-in/log-out.ts`);
 * - at a login that presents it, and at once if its own login fails after it has started (`access/admit.ts`);
 * - at its next use after its account was removed or disabled, or has got another stamp (`access/access.ts`);
 * - when an administrator ends it, sets the password of its user, or disables or removes the user (`users/administration.ts`).
 */
export function createSessions(options: SessionOptions) {
  const { store, idleTimeoutSeconds, lifetimeSeconds, mostPerUser = 100, now = Date.now } = options;
  const idleTimeoutMilliseconds = idleTimeoutSeconds * 1000;
  const lifetimeMilliseconds = lifetimeSeconds * 1000;
  // One write a minute is enough, unless the idle timeout is short.
  const touchIntervalMilliseconds = Math.min(60_000, idleTimeoutMilliseconds / 10);

  const endOf = (createdAt: number, lastSeenAt: number) =>
    Math.min(createdAt + lifetimeMilliseconds, lastSeenAt + idleTimeoutMilliseconds);
  // A session with a time from a wrong clock would outlive its limits, so it counts as ended.
  const isAlive = ({ createdAt, lastSeenAt }: SessionRecord, time: number) =>
    time < endOf(createdAt, lastSeenAt) && Math.max(createdAt, lastSeenAt) <= time + clockTolerance;

  /** Like `find`, with a record that was looked up already. */
  async function judge(claim: Claim, record: SessionRecord): Promise<Session | undefined> {
    if (!claim.isProvenBy(record)) return undefined;
    const time = now();
    if (!isAlive(record, time)) return undefined;
    if (time - record.lastSeenAt >= touchIntervalMilliseconds)
      await store.touch(record.id, time, endOf(record.createdAt, time));
    return record;
  }

  return {
    /** Starts a session and ends those that it replaces, both or neither (ASVS 7.2.4). */
    async start(owner: Pick<Session, 'userId' | 'stamp'>, start: SessionStart): Promise<StartedSession> {
      const { methods, replaced = [], userAgent, address } = start;
      const id = createSessionId();
      const cookieSecret = createSecret();
      const tokenSecret = createSecret();
      const time = now();
      const record: SessionRecord = {
        ...owner,
        id,
        cookieHash: hashSecret(cookieSecret),
        tokenHash: hashSecret(tokenSecret),
        createdAt: time,
        lastSeenAt: time,
        expiresAt: endOf(time, time),
        authenticatedAt: time,
        methods,
        userAgent: userAgent === undefined ? undefined : printable(userAgent.slice(0, longestUserAgent)),
        address,
      };
      const replacedIds = replaced.map((session) => session.id);
      await store.insert(record, replacedIds);
      // If this fails, the next login does it.
      const displaced = await store.removeOldestOfUser(owner.userId, time, mostPerUser).catch(() => []);
      return {
        ...record,
        cookie: formatCredential('cookie', id, cookieSecret),
        accessToken: formatCredential('token', id, tokenSecret),
        displaced,
        expiresInSeconds: Math.min(idleTimeoutSeconds, lifetimeSeconds),
      };
    },

    /** The living session of a claim. Counts as use of the session. */
    async find(claim: Claim): Promise<Session | undefined> {
      const record = claim.sessionId === undefined ? undefined : await store.find(claim.sessionId);
      return record && judge(claim, record);
    },

    judge,

    /** Ends sessions and every credential bound to them. False if none was left to end. */
    async end(sessions: readonly Pick<Session, 'id'>[]): Promise<boolean> {
      if (sessions.length === 0) return false;
      return (await store.remove(sessions.map((session) => session.id))) > 0;
    },

    /** Ends every session of a user, and returns how many there were. */
    endAllOf: (userId: string): Promise<number> => store.removeOfUser(userId),

    /** The living sessions of a user, the latest first. */
    async listOf(userId: string) {
      const time = now();
      const alive = (await store.listOfUser(userId)).filter((record) => isAlive(record, time));
      return alive
        .sort((one, other) => other.createdAt - one.createdAt)
        .map(({ id, createdAt, lastSeenAt }) => ({
          id,
          startedAt: new Date(createdAt),
          /** To within a minute. */
          lastSeenAt: new Date(lastSeenAt),
          expiresAt: new Date(endOf(createdAt, lastSeenAt)),
        }));
    },
  };
}
