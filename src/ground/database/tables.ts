import { rows, type Tables } from './schema.ts';

const all = 'SELECT, INSERT, UPDATE, DELETE';
const kept = 'SELECT, INSERT, UPDATE';
const once = 'SELECT, INSERT, DELETE';
const read = 'SELECT';

/** A limit on the rows of each account, or on the rows that all administrators together have made. */
interface Bound {
  readonly of: 'account' | 'administrators';
  /** The name of the rows, for the list of limits in the threat model, and for the message of a refusal. */
  readonly name: string;
  readonly most: number;
  /** The column that determines the oldest row, which is deleted to make room for a new one. Undefined: a new row is refused. */
  readonly oldestBy?: string;
}

interface KeyedBound extends Bound {
  readonly key: string;
  readonly expires: boolean;
}

interface TableProperties {
  /** The rights that a server needs, and no more (ASVS 13.2.2). `janua migrate` needs more, because it makes the tables. */
  readonly rights: string;
  /**
   * The servers that use the table: those with Janua's own accounts, those with a team's own table of users, or those with or without Redis
   * for sessions and failed attempts. Undefined: all servers.
   */
  readonly only?: 'own-accounts' | 'own-table' | 'without-redis' | 'with-redis';
  /** The primary key, if the rows of the table expire. Their column `expires_at` has the time. */
  readonly expiresBy?: string;
  /**
   * The rows are messages to send. A row whose `due_at` is set does not expire: only the sender gives up a message, and clears `due_at`.
   */
  readonly queue?: true;
  /** The rows are deleted with their user. Not set for sessions, which may be in Redis, and for the audit log, which keeps its events. */
  readonly aboutUser?: true;
  /**
   * An account's stamp is a random value, which is replaced, for example, with the password. `carried`: a row contains a stamp, and counts
   * only while it is the account's. `missing`: rows contain no stamp. They are deleted when a thief may have added them.
   */
  readonly stamp?: 'carried' | 'missing';
  /** The limit that `core/users/row-limits.ts` enforces. A text says why no limit is needed, or where else it is enforced. */
  readonly bound: Bound | string;
}

const oneAnAccount = 'a row for each account';
const byOperator = 'only the operator, or Janua itself, adds rows';

/** The properties of each table, except its columns. */
export const tables = {
  janua_users: {
    rights: all,
    bound:
      'each costs an address that proves itself, an administrator, or a row of the team’s table: mails and sign-ups have limits',
  },
  janua_handles: { rights: once, bound: '`mostHandles` for each account: core/users/handles.ts' },
  janua_imports: {
    rights: all,
    only: 'own-accounts',
    bound: { of: 'administrators', name: 'imports that can be undone', most: 100, oldestBy: 'created_at' },
  },
  janua_sources: { rights: kept, only: 'own-table', bound: byOperator },
  janua_sessions: {
    rights: all,
    only: 'without-redis',
    expiresBy: 'id',
    bound: '`SESSIONS_PER_USER`: core/sessions/sessions.ts',
  },
  janua_ended_sessions: {
    rights: once,
    only: 'with-redis',
    expiresBy: 'id',
    bound: { of: 'account', name: 'ended sessions, with Redis', most: 1000, oldestBy: 'expires_at' },
  },
  janua_not_before: { rights: all, only: 'with-redis', expiresBy: 'user_id', bound: oneAnAccount },
  janua_keys: { rights: read, bound: byOperator },
  janua_leases: { rights: kept, bound: byOperator },
  janua_times: { rights: kept, bound: byOperator },
  janua_failures: {
    rights: all,
    only: 'without-redis',
    expiresBy: 'key',
    bound: 'each key expires a month after the last failure, unless it is blocked; core/throttle',
  },
  janua_audit: { rights: once, bound: 'events have allowances, and expire: core/audit/flood-bound.ts' },
  janua_tokens: {
    rights: once,
    expiresBy: 'hash',
    aboutUser: true,
    stamp: 'carried',
    bound: { of: 'account', name: 'open links for one purpose', most: 20, oldestBy: 'expires_at' },
  },
  janua_invite_links: {
    rights: all,
    expiresBy: 'id',
    aboutUser: true,
    stamp: 'missing',
    bound: { of: 'account', name: 'links by which users join', most: 20 },
  },
  janua_mails: { rights: all, expiresBy: 'id', queue: true, bound: '`mostMails`: core/mail/limits.ts' },
  janua_notices: {
    rights: all,
    expiresBy: 'id',
    aboutUser: true,
    bound: 'a row for each account and address, for ten minutes',
  },
  janua_passkeys: { rights: all, aboutUser: true, bound: { of: 'account', name: 'passkeys', most: 30 } },
  janua_passkey_offers: { rights: all, aboutUser: true, bound: oneAnAccount },
  janua_totp: {
    rights: all,
    aboutUser: true,
    bound: 'two rows for each account: one in use, one that waits for its code',
  },
  janua_recovery_codes: { rights: once, aboutUser: true, bound: 'ten rows for each account' },
  janua_trusted_browsers: {
    rights: once,
    expiresBy: 'id',
    aboutUser: true,
    stamp: 'carried',
    bound: { of: 'account', name: 'trusted browsers', most: 30, oldestBy: 'trusted_at' },
  },
  janua_pending_logins: {
    rights: all,
    expiresBy: 'id',
    aboutUser: true,
    stamp: 'carried',
    bound: { of: 'account', name: 'logins that wait for a second factor', most: 20, oldestBy: 'expires_at' },
  },
  janua_groups: { rights: all, bound: { of: 'administrators', name: 'groups', most: 500 } },
  janua_search: { rights: all, aboutUser: true, bound: 'four rows for each account' },
  janua_logins: { rights: all, aboutUser: true, bound: oneAnAccount },
  janua_counts: { rights: all, bound: 'a row for each hour and kind of event, for 31 days' },
  janua_memberships: {
    rights: all,
    aboutUser: true,
    bound: 'a row for each account and group, and groups are bounded',
  },
  janua_access_tokens: {
    rights: all,
    expiresBy: 'id',
    aboutUser: true,
    stamp: 'missing',
    bound: { of: 'account', name: 'personal access tokens', most: 100 },
  },
  janua_clients: { rights: all, bound: { of: 'administrators', name: 'applications', most: 1000 } },
  janua_pictures: { rights: once, bound: 'a row of at most 256 KB for each application, and applications are bounded' },
  janua_resources: { rights: all, bound: { of: 'administrators', name: 'resources', most: 200 } },
  janua_consents: {
    rights: all,
    aboutUser: true,
    stamp: 'missing',
    bound: { of: 'account', name: 'consents', most: 300, oldestBy: 'given_at' },
  },
  janua_subjects: { rights: all, aboutUser: true, bound: oneAnAccount },
  janua_oidc_records: {
    rights: all,
    expiresBy: 'id',
    aboutUser: true,
    bound: 'by its kind: capabilities/oidc/records/grant-records.ts',
  },
  janua_signing_keys: { rights: all, bound: byOperator },
  janua_logout_notices: {
    rights: all,
    expiresBy: 'id',
    queue: true,
    bound:
      'a row for each living session and application, and `mostDue` of ended ones: capabilities/oidc/logout/logout-notices.ts',
  },
  janua_identities: { rights: all, aboutUser: true, bound: { of: 'account', name: 'linked accounts', most: 20 } },
  janua_applied_files: { rights: kept, bound: byOperator },
  janua_migrations: { rights: read, bound: byOperator },
} as const satisfies { readonly [Table in keyof Tables]: TableProperties };

type With<Trait> = {
  [Table in keyof typeof tables]: (typeof tables)[Table] extends Trait ? Table : never;
}[keyof typeof tables];

const traitsOf: Readonly<Record<string, TableProperties>> = tables;

const namesWhere = <Trait>(has: (traits: TableProperties) => boolean) =>
  Object.keys(tables).filter((table) => has(traitsOf[table] as TableProperties)) as With<Trait>[];

export type ExpiringTable = With<{ readonly expiresBy: string }>;

export const expiringTables = namesWhere<{ readonly expiresBy: string }>(({ expiresBy }) => expiresBy !== undefined);

export const tablesAboutUsers = namesWhere<{ readonly aboutUser: true }>(({ aboutUser = false }) => aboutUser);

export const stampedTables = namesWhere<{ readonly stamp: 'carried' }>(({ stamp }) => stamp === 'carried');

export type BoundedTable = With<{ readonly bound: Bound }>;

/** Returns the limit of a table, with its key column, and whether its rows expire. */
export function boundOf(table: BoundedTable): KeyedBound {
  const [key = ''] = Object.keys(rows[table]);
  return { ...tables[table].bound, key, expires: 'expiresBy' in tables[table] };
}

export const boundedTables = namesWhere<{ readonly bound: Bound }>(({ bound }) => typeof bound !== 'string');

export const unstampedTables = namesWhere<{ readonly stamp: 'missing' }>(({ stamp }) => stamp === 'missing');

/**
 * Lists the tables that a server does not use.
 * @param used whether users are in Janua's own table, and whether sessions are in the database
 */
export function unusedTables(used: { readonly users: boolean; readonly sessions: boolean }): ReadonlySet<string> {
  const others = [used.users ? 'own-table' : 'own-accounts', used.sessions ? 'with-redis' : 'without-redis'];
  return new Set(namesWhere(({ only = '' }) => others.includes(only)));
}
