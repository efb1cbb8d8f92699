import type { Tables } from './schema.ts';

const all = 'SELECT, INSERT, UPDATE, DELETE';
const kept = 'SELECT, INSERT, UPDATE';
const once = 'SELECT, INSERT, DELETE';
const read = 'SELECT';

interface Traits {
  /** The rights that a server needs, and no more (ASVS 13.2.2). `janua migrate` needs more, because it makes the tables. */
  readonly rights: string;
  /** Where it is used: with Janua's own accounts, with a team's own table, or while sessions and failures are in the database, or in Redis. */
  readonly only?: 'own-accounts' | 'own-table' | 'without-redis' | 'with-redis';
  /** The key of a table whose rows expire. */
  readonly expiresBy?: string;
  /** Rows expire only once they are no longer due: their sender gives them up first. */
  readonly queue?: true;
  /** Rows are deleted with their user. Sessions may be in Redis, and the audit keeps its events. */
  readonly aboutUser?: true;
  /** `carried`: a row counts only under the stamp that it carries. `missing`: it carries none, and a thief may have made it. */
  readonly stamp?: 'carried' | 'missing';
}

/** What is known of each table besides its columns. */
export const tables = {
  janua_users: { rights: all, only: 'own-accounts' },
  janua_people: { rights: kept, only: 'own-table' },
  janua_sessions: { rights: all, only: 'without-redis', expiresBy: 'id' },
  janua_ended_sessions: { rights: once, only: 'with-redis', expiresBy: 'id' },
  janua_not_before: { rights: all, only: 'with-redis', expiresBy: 'user_id' },
  janua_keys: { rights: read },
  janua_leases: { rights: kept },
  janua_times: { rights: kept },
  janua_failures: { rights: all, only: 'without-redis', expiresBy: 'key' },
  janua_audit: { rights: once },
  janua_tokens: { rights: once, expiresBy: 'hash', aboutUser: true, stamp: 'carried' },
  janua_mails: { rights: all, expiresBy: 'id', queue: true },
  janua_passkeys: { rights: all, aboutUser: true },
  janua_passkey_offers: { rights: all, aboutUser: true },
  janua_totp: { rights: all, aboutUser: true },
  janua_recovery_codes: { rights: once, aboutUser: true },
  janua_trusted_browsers: { rights: once, expiresBy: 'id', aboutUser: true, stamp: 'carried' },
  janua_pending_logins: { rights: all, expiresBy: 'id', aboutUser: true, stamp: 'carried' },
  janua_groups: { rights: all },
  janua_search: { rights: all, only: 'own-accounts', aboutUser: true },
  janua_logins: { rights: all, aboutUser: true },
  janua_counts: { rights: all },
  janua_memberships: { rights: all, aboutUser: true },
  janua_access_tokens: { rights: all, expiresBy: 'id', aboutUser: true, stamp: 'missing' },
  janua_clients: { rights: all },
  janua_resources: { rights: all },
  janua_consents: { rights: all, aboutUser: true, stamp: 'missing' },
  janua_subjects: { rights: all, aboutUser: true },
  janua_oidc_records: { rights: all, expiresBy: 'id', aboutUser: true },
  janua_signing_keys: { rights: all },
  janua_logout_notices: { rights: all, expiresBy: 'id', queue: true },
  janua_identities: { rights: all, aboutUser: true },
  janua_migrations: { rights: read },
} as const satisfies { readonly [Table in keyof Tables]: Traits };

type With<Trait> = {
  [Table in keyof typeof tables]: (typeof tables)[Table] extends Trait ? Table : never;
}[keyof typeof tables];

const traitsOf: Readonly<Record<string, Traits>> = tables;

const namesWhere = <Trait>(has: (traits: Traits) => boolean) =>
  Object.keys(tables).filter((table) => has(traitsOf[table] as Traits)) as With<Trait>[];

export type ExpiringTable = With<{ readonly expiresBy: string }>;

export const expiringTables = namesWhere<{ readonly expiresBy: string }>(({ expiresBy }) => expiresBy !== undefined);

export const tablesAboutUsers = namesWhere<{ readonly aboutUser: true }>(({ aboutUser = false }) => aboutUser);

export const stampedTables = namesWhere<{ readonly stamp: 'carried' }>(({ stamp }) => stamp === 'carried');

export const unstampedTables = namesWhere<{ readonly stamp: 'missing' }>(({ stamp }) => stamp === 'missing');

/** The tables that a server leaves alone. @param used whether users, and whether sessions, are in Janua's own tables */
export function unusedTables(used: { readonly users: boolean; readonly sessions: boolean }): ReadonlySet<string> {
  const others = [used.users ? 'own-table' : 'own-accounts', used.sessions ? 'with-redis' : 'without-redis'];
  return new Set(namesWhere(({ only = '' }) => others.includes(only)));
}
