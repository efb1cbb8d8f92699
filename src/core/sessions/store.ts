import type { Database } from '../../ground/database/database.ts';

/** The stored part of a session. Only hashes of the two secrets are stored: a thief of the store cannot sign in (ASVS 14.2.4). */
export interface SessionRecord {
  /** Public: may be listed and logged. */
  readonly id: string;
  readonly userId: string;
  /** The account's stamp (a random value) when the session was started or renewed. The session ends when the account gets another stamp. */
  readonly stamp: string;
  /** SHA-256 of the cookie's secret, base64url. */
  readonly cookieHash: string;
  /** SHA-256 of the access token's secret, base64url. */
  readonly tokenHash: string;
  /** Milliseconds since 1970, like every time here. */
  readonly createdAt: number;
  readonly lastSeenAt: number;
  /** The time at which the session ends if it is not used again. From then on, the store may remove the record. */
  readonly expiresAt: number;
  /** The time when the owner last proved their identity, by `methods`. */
  readonly authenticatedAt: number;
  readonly methods: readonly AuthenticationMethod[];
  readonly userAgent: string | undefined;
  readonly address: string | undefined;
  /** Whether the user chose to stay signed in. The session then has other limits. */
  readonly remembered: boolean;
  /** The scopes that the access token carries, separated by spaces. Undefined: all scopes of the user. */
  readonly tokenScope: string | undefined;
}

export type Renewal = Pick<
  SessionRecord,
  'stamp' | 'cookieHash' | 'tokenHash' | 'lastSeenAt' | 'expiresAt' | 'authenticatedAt' | 'methods'
>;

/**
 * The ways in which an owner has proved their identity, by their names in RFC 8176. Only `fed` is not from there: another provider signed
 * the user in. Microsoft Entra uses the same name.
 */
export type AuthenticationMethod = 'pwd' | 'otp' | 'hwk' | 'swk' | 'user' | 'mfa' | 'fed';

/**
 * Stores sessions, and checks no validity. Redis removes expired records itself. In SQL, the cleaning of all tables removes them. Every
 * method throws `Unavailable` when the store cannot be reached.
 */
export interface SessionStore {
  /** Adds a record and removes those that it replaces. If it fails, the old records remain. */
  insert(record: SessionRecord, replaced: readonly string[]): Promise<void>;
  find(id: string): Promise<SessionRecord | undefined>;
  /** Changes a record that exists. A session that has ended meanwhile stays ended. */
  touch(id: string, lastSeenAt: number, expiresAt: number): Promise<void>;
  /** Replaces the credentials of a record that exists. Returns false if the session has ended meanwhile: it stays ended. */
  renew(id: string, renewal: Renewal): Promise<boolean>;
  /** @param userId the user of the sessions, if known */
  remove(ids: readonly string[], userId?: string): Promise<number>;
  listOfUser(userId: string): Promise<SessionRecord[]>;
  /** Removes all sessions of a user, except `keptId`. */
  removeOfUser(userId: string, keptId?: string): Promise<number>;
  /**
   * Removes the unexpired sessions of a user except the latest `kept`, and returns the ids of those removed. A session that began more than
   * `clockTolerance` after `time` counts as the oldest, because a wrong clock made it, and it has ended.
   */
  removeOldestOfUser(userId: string, time: number, kept: number): Promise<string[]>;
  /** Counts the sessions. In Redis with many keys, the number is an estimate from a sample. */
  count(time: number): Promise<number>;
  check(): Promise<void>;
}

/** A store that takes part in transactions of the database. Redis alone does not. */
export interface TransactionalSessionStore extends SessionStore {
  /**
   * Removes a session, wherever its record is, and runs `within`, in one transaction of the database. Returns false if the session has
   * ended already.
   */
  removeWith(id: string, within: (db: Database) => Promise<void>): Promise<boolean>;
}
