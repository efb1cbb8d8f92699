/** What is kept of a session. Of the two secrets only hashes: a stolen store signs nobody in (ASVS 14.2.4). */
export interface SessionRecord {
  /** Public: may be listed and logged. */
  readonly id: string;
  readonly userId: string;
  /** The account's stamp when the session was started: with another stamp the session is over. */
  readonly stamp: string;
  /** SHA-256 of the cookie's secret, base64url. */
  readonly cookieHash: string;
  /** SHA-256 of the access token's secret, base64url. */
  readonly tokenHash: string;
  /** Milliseconds since 1970, like every time here. */
  readonly createdAt: number;
  readonly lastSeenAt: number;
  /** When it ends by itself if it is not used again. From then on the store may forget it, and owes it to nobody. */
  readonly expiresAt: number;
  /** When its owner proved last who they are, and how. */
  readonly authenticatedAt: number;
  readonly methods: readonly AuthenticationMethod[];
  /** What it was started from, as far as that could be told. */
  readonly userAgent: string | undefined;
  readonly address: string | undefined;
}

/** How an owner proved who they are, by the names of RFC 8176. */
export type AuthenticationMethod = 'pwd' | 'otp' | 'hwk' | 'swk' | 'user' | 'mfa';

/** Of sessions that were started by a version that did not say: all logged in by password. */
export const formerMethods: readonly AuthenticationMethod[] = ['pwd'];

/**
 * Where sessions live. It keeps records and judges nothing.
 * Every method throws `Unavailable` when the store cannot be reached.
 */
export interface SessionStore {
  /** Adds a record and removes those it replaces; when it fails, those are still there. */
  insert(record: SessionRecord, replaced: readonly string[]): Promise<void>;
  find(id: string): Promise<SessionRecord | undefined>;
  /** Changes a record that exists; one that has ended meanwhile stays ended. */
  touch(id: string, lastSeenAt: number, expiresAt: number): Promise<void>;
  /** Removes the records and returns how many there were. */
  remove(ids: readonly string[]): Promise<number>;
  /** The records of a user, in no order. */
  listOfUser(userId: string): Promise<SessionRecord[]>;
  removeOfUser(userId: string): Promise<number>;
  /**
   * Removes the unexpired sessions of a user except the latest `kept`, and returns the ids of those removed. A session from more than
   * `clockTolerance` after `time` has ended: it counts as the oldest.
   */
  removeOldestOfUser(userId: string, time: number, kept: number): Promise<string[]>;
  /** Removes at most `limit` records that expired before a time, and returns how many there were. */
  removeExpired(time: number, limit: number): Promise<number>;
  /** Proves that the store can be read and written. */
  check(): Promise<void>;
}
