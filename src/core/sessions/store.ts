import type { Database } from '../../ground/database/database.ts';

/** The stored part of a session. Only hashes of the two secrets are stored: a thief of the store cannot sign in (ASVS 14.2.4). */
export interface SessionRecord {
  /** Public: may be listed and logged. */
  readonly id: string;
  readonly userId: string;
  /** The account's stamp when the session was started. The session ends when the account's stamp changes. */
  readonly stamp: string;
  /** SHA-256 of the cookie's secret, base64url. */
  readonly cookieHash: string;
  /** SHA-256 of the access token's secret, base64url. */
  readonly tokenHash: string;
  /** Milliseconds since 1970, like every time here. */
  readonly createdAt: number;
  readonly lastSeenAt: number;
  /** When the session ends if it is not used again. From then on, the store may remove the record. */
  readonly expiresAt: number;
  /** When and how the owner last proved their identity. */
  readonly authenticatedAt: number;
  readonly methods: readonly AuthenticationMethod[];
  readonly userAgent: string | undefined;
  readonly address: string | undefined;
  /** Whether the user chose to stay signed in. The session then has other limits. */
  readonly remembered: boolean;
  /** The scopes that the access token carries, separated by spaces. Undefined: all that its user has. */
  readonly tokenScope: string | undefined;
}

export type Renewal = Pick<
  SessionRecord,
  'stamp' | 'cookieHash' | 'tokenHash' | 'lastSeenAt' | 'expiresAt' | 'authenticatedAt' | 'methods'
>;

/**
 * How an owner proved their identity, by the names of RFC 8176. `fed` is not among them: another provider signed the user in. Microsoft
 * Entra calls it so too.
 */
export type AuthenticationMethod = 'pwd' | 'otp' | 'hwk' | 'swk' | 'user' | 'mfa' | 'fed';

/** Checks no validity. Expired records are removed by Redis, or with those of other tables. Every method throws `Unavailable` when the store cannot be reached. */
export interface SessionStore {
  /** Adds a record and removes those that it replaces. If it fails, the old records remain. */
  insert(record: SessionRecord, replaced: readonly string[]): Promise<void>;
  find(id: string): Promise<SessionRecord | undefined>;
  /** Changes a record that exists. A session that has ended meanwhile stays ended. */
  touch(id: string, lastSeenAt: number, expiresAt: number): Promise<void>;
  /** Replaces the credentials of a record that exists. False if the session has ended meanwhile: it stays ended. */
  renew(id: string, renewal: Renewal): Promise<boolean>;
  /** @param userId the user whose sessions they are, if that is known */
  remove(ids: readonly string[], userId?: string): Promise<number>;
  listOfUser(userId: string): Promise<SessionRecord[]>;
  /** Removes all sessions of a user, but for one. */
  removeOfUser(userId: string, keptId?: string): Promise<number>;
  /**
   * Removes the unexpired sessions of a user except the latest `kept`, and returns the ids of those removed. A session from more than
   * `clockTolerance` after `time` has ended: it counts as the oldest.
   */
  removeOldestOfUser(userId: string, time: number, kept: number): Promise<string[]>;
  /** How many sessions there are. In Redis with many keys an estimate, from a sample. */
  count(time: number): Promise<number>;
  check(): Promise<void>;
}

/** Redis alone takes no part in transactions of the database. */
export interface TransactionalSessionStore extends SessionStore {
  /**
   * Removes a session in a transaction of the database, wherever its record is, together with what `within` does there. False if it has
   * ended already.
   */
  removeWith(id: string, within: (db: Database) => Promise<void>): Promise<boolean>;
}
