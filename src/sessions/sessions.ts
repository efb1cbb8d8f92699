import { setImmediate } from 'node:timers/promises';
import type { HostCredentials, Return } from '../forward-auth/host-credentials.ts';
import {
  type CredentialKind,
  createSecret,
  createSessionId,
  formatCredential,
  hashSecret,
  parseCredential,
  secretMatches,
} from './credential.ts';
import type { SessionRecord, SessionStore } from './store.ts';

/** A session that is alive. */
export interface Session {
  readonly id: string;
  readonly userId: string;
  readonly passwordFingerprint: string;
}

/** A session as an administrator sees it. */
export interface ListedSession {
  readonly id: string;
  readonly startedAt: Date;
  /** To within a minute. */
  readonly lastSeenAt: Date;
  readonly expiresAt: Date;
}

/** Whose session it is to be, and with which password. */
export type SessionOwner = Pick<Session, 'userId' | 'passwordFingerprint'>;

/** A session that was just started, with its two credentials: the only moment at which they are known. */
export interface StartedSession extends Session {
  readonly cookie: string;
  readonly accessToken: string;
  /** Ids of sessions of the same user that have ended for it, being the oldest of too many. */
  readonly displaced: readonly string[];
  /** Seconds until the session ends if it is not used again. */
  readonly expiresInSeconds: number;
}

export interface Sessions {
  /** Starts a session and ends those that it replaces, both or neither (ASVS 7.2.4). */
  start(owner: SessionOwner, replaced: readonly Session[]): Promise<StartedSession>;
  /** The living session that a credential belongs to. Counts as use of it. */
  find(kind: CredentialKind, credential: string): Promise<Session | undefined>;
  /** The living session that another host's credential belongs to, where it is of that origin. Counts as use of it. */
  findAtHost(origin: string, credential: string): Promise<Session | undefined>;
  /** A ticket for the session that a credential belongs to. Undefined when it is over. */
  createTicket(kind: CredentialKind, credential: string, way: Return): Promise<string | undefined>;
  /** What a host gets for a ticket: its own credential. Undefined for a ticket that is not for this way, too old, or of a session that is over. */
  redeemTicket(ticket: string, way: Return): Promise<string | undefined>;
  /** Ends sessions with every credential bound to them; false when none was left to end. */
  end(sessions: readonly Pick<Session, 'id'>[]): Promise<boolean>;
  endAllOf(userId: string): Promise<number>;
  /** The living sessions of a user, the latest first. */
  listOf(userId: string): Promise<ListedSession[]>;
  /** Removes what is left of sessions that have expired, in small batches. */
  removeExpired(): Promise<void>;
}

export interface SessionOptions {
  readonly store: SessionStore;
  readonly idleTimeoutSeconds: number;
  readonly lifetimeSeconds: number;
  /** Living sessions that one user may have; a new one ends the oldest (ASVS 7.1.2). */
  readonly mostPerUser?: number;
  /** Without it, no other host gets anything of a session. */
  readonly hosts?: HostCredentials | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const cleaningBatch = 500;

/**
 * How far the clocks of processes may differ, in milliseconds. A session from later than that was started or used while a clock was
 * wrong, and would outlive its limits: it has ended.
 */
const clockTolerance = 60_000;

/** How long the way back to another host may take, in milliseconds: a redirect. */
const ticketLifetime = 60_000;

/** Rules of sessions: what starts, proves, refreshes and ends one. Both limits are judged from stored times (ASVS 7.3.1, 7.3.2). */
export function createSessions({
  store,
  idleTimeoutSeconds,
  lifetimeSeconds,
  mostPerUser = 100,
  hosts,
  now = Date.now,
}: SessionOptions): Sessions {
  const idleTimeout = idleTimeoutSeconds * 1000;
  const lifetime = lifetimeSeconds * 1000;
  // Written at most once a minute, and often enough for a short idle timeout to be kept.
  const touchInterval = Math.min(60_000, idleTimeout / 10);

  const endOf = (createdAt: number, lastSeenAt: number) => Math.min(createdAt + lifetime, lastSeenAt + idleTimeout);
  const isAlive = ({ createdAt, lastSeenAt }: SessionRecord, time: number) =>
    time < endOf(createdAt, lastSeenAt) && Math.max(createdAt, lastSeenAt) <= time + clockTolerance;

  /** The record of a session that is alive, where what was presented proves to be its own. Counts as use of it. */
  async function findRecord(
    id: string | undefined,
    isProven: (record: SessionRecord) => boolean,
  ): Promise<SessionRecord | undefined> {
    const record = id === undefined ? undefined : await store.find(id);
    if (record === undefined || !isProven(record)) return undefined;
    const time = now();
    if (!isAlive(record, time)) return undefined;
    if (time - record.lastSeenAt >= touchInterval) await store.touch(record.id, time, endOf(record.createdAt, time));
    return record;
  }

  async function findByCredential(kind: CredentialKind, credential: string): Promise<SessionRecord | undefined> {
    const presented = parseCredential(kind, credential);
    if (presented === undefined) return undefined;
    const { sessionId, secret } = presented;
    return findRecord(sessionId, (record) =>
      secretMatches(secret, kind === 'cookie' ? record.cookieHash : record.tokenHash),
    );
  }

  return {
    async start({ userId, passwordFingerprint }, replaced) {
      const id = createSessionId();
      const cookieSecret = createSecret();
      const tokenSecret = createSecret();
      const time = now();
      const record = {
        id,
        userId,
        passwordFingerprint,
        cookieHash: hashSecret(cookieSecret),
        tokenHash: hashSecret(tokenSecret),
        createdAt: time,
        lastSeenAt: time,
        expiresAt: endOf(time, time),
      };
      await store.insert(
        record,
        replaced.map((session) => session.id),
      );
      // Where it fails, the next login does it.
      const displaced = await store.removeOldestOfUser(userId, time, mostPerUser).catch(() => []);
      return {
        id,
        userId,
        passwordFingerprint,
        cookie: formatCredential('cookie', id, cookieSecret),
        accessToken: formatCredential('token', id, tokenSecret),
        displaced,
        expiresInSeconds: Math.min(idleTimeoutSeconds, lifetimeSeconds),
      };
    },

    async find(kind, credential) {
      return sessionOf(await findByCredential(kind, credential));
    },

    async findAtHost(origin, credential) {
      const record = await findRecord(
        hosts?.sessionIdOf(credential),
        (found) => hosts?.isValid(credential, origin, found) === true,
      );
      return sessionOf(record);
    },

    async createTicket(kind, credential, way) {
      const record = await findByCredential(kind, credential);
      return record && hosts?.createTicket(way, record, now() + ticketLifetime);
    },

    async redeemTicket(ticket, way) {
      const read = hosts?.readTicket(ticket);
      const rest = read === undefined ? 0 : read.expiresAt - now();
      if (read === undefined || rest <= 0 || rest > ticketLifetime + clockTolerance) return undefined;
      const record = await findRecord(read.sessionId, (found) => hosts?.isValidTicket(ticket, way, found) === true);
      return record && hosts?.create(way.origin, record);
    },

    async end(sessions) {
      if (sessions.length === 0) return false;
      return (await store.remove(sessions.map((session) => session.id))) > 0;
    },

    endAllOf: (userId) => store.removeOfUser(userId),

    async listOf(userId) {
      const time = now();
      const alive = (await store.listOfUser(userId)).filter((record) => isAlive(record, time));
      return alive
        .sort((one, other) => other.createdAt - one.createdAt)
        .map(({ id, createdAt, lastSeenAt }) => ({
          id,
          startedAt: new Date(createdAt),
          lastSeenAt: new Date(lastSeenAt),
          expiresAt: new Date(endOf(createdAt, lastSeenAt)),
        }));
    },

    async removeExpired() {
      // Requests go first: between two batches everything else has its turn.
      while ((await store.removeExpired(now(), cleaningBatch)) === cleaningBatch) await setImmediate();
    },
  };
}

/** Without what only the store has to know. */
function sessionOf(record: SessionRecord | undefined): Session | undefined {
  if (record === undefined) return undefined;
  const { id, userId, passwordFingerprint } = record;
  return { id, userId, passwordFingerprint };
}
