import type { Generated } from 'kysely';

/** 0 or 1: no boolean type is common to all databases. */
type Flag = number;

/** Milliseconds since 1970. PostgreSQL's client gives a bigint as text. */
type Time = number | string;

export interface UsersTable {
  id: string;
  /** Canonical, unique. */
  username: string;
  password_hash: string;
  first_name: string;
  last_name: string;
  disabled: Generated<Flag>;
  demo: Generated<Flag>;
  created_at: Time;
  stamp: Generated<string | null>;
}

export interface SessionsTable {
  id: string;
  user_id: string;
  /** The account's stamp. */
  password_fingerprint: string;
  cookie_hash: string;
  token_hash: string;
  created_at: Time;
  last_seen_at: Time;
  expires_at: Time;
  /** 0 where a process of an older version has inserted the row. */
  authenticated_at: Generated<Time>;
  /** Separated by spaces. */
  methods: Generated<string>;
  user_agent: Generated<string>;
  address: Generated<string>;
}

/** Keys that the server made for itself. */
export interface KeysTable {
  name: string;
  /** base64url */
  value: string;
}

/** Work that only one of many processes does: whoever moved the time on has it until then. */
export interface LeasesTable {
  name: string;
  expires_at: Time;
}

/** What the throttle has counted. */
export interface FailuresTable {
  key: string;
  count: number;
  last_at: Time;
  /** Null where it is never forgotten by itself. */
  expires_at: Time | null;
}

export interface AuditTable {
  /** In order of time. */
  id: string;
  at: Time;
  kind: string;
  request_id: string | null;
  user_id: string | null;
  /** The whole event, as JSON. */
  event: string;
}

/** Our own tables. Their names carry a prefix, since they may stand beside a team's own. */
export interface Tables {
  janua_users: UsersTable;
  janua_sessions: SessionsTable;
  janua_keys: KeysTable;
  janua_leases: LeasesTable;
  janua_failures: FailuresTable;
  janua_audit: AuditTable;
  janua_migrations: { name: string };
}
