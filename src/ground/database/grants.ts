import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { Engine } from './kysely.ts';
import { type Tables, unusedTables } from './schema.ts';

const all = 'SELECT, INSERT, UPDATE, DELETE';
const kept = 'SELECT, INSERT, UPDATE';
const once = 'SELECT, INSERT, DELETE';
const read = 'SELECT';

/** The rights that a server needs on each table, and no more (ASVS 13.2.2). `janua migrate` needs more, because it makes the tables. */
const rights = {
  janua_users: all,
  janua_people: kept,
  janua_sessions: all,
  janua_keys: read,
  janua_leases: kept,
  janua_failures: all,
  janua_audit: once,
  janua_tokens: once,
  janua_mails: all,
  janua_passkeys: all,
  janua_totp: all,
  janua_recovery_codes: once,
  janua_trusted_browsers: once,
  janua_pending_logins: all,
  janua_groups: all,
  janua_search: all,
  janua_logins: kept,
  janua_counts: all,
  janua_memberships: all,
  janua_access_tokens: all,
  janua_clients: all,
  janua_resources: all,
  janua_consents: all,
  janua_subjects: all,
  janua_oidc_records: all,
  janua_signing_keys: all,
  janua_logout_notices: all,
  janua_identities: all,
  janua_migrations: read,
} as const satisfies { readonly [Table in keyof Tables]: string };

export interface Granted {
  /** The name of a role, or in the MySQL family of a user and a host: `janua@localhost`. */
  readonly account: string;
  /** A team's own table, and the column of passwords if Janua may write it. */
  readonly ownTable: { readonly table: string; readonly writes: string | undefined } | undefined;
  readonly sessionsInRedis: boolean;
}

/**
 * The statements that give an account the rights that a server needs.
 * @throws {Misconfiguration} for SQLite, which has no accounts, and for a name that is none
 */
export function listGrants(engine: Engine, { account, ownTable, sessionsInRedis }: Granted): string[] {
  if (engine === 'sqlite')
    throw new Misconfiguration('DATABASE_URL: SQLite has no accounts, so there is nothing to grant.');
  const [, name = '', host] = /^([\w-]+)(?:@([\w.:%-]+))?$/.exec(account) ?? [];
  if (name === '' || (engine === 'postgres' && host !== undefined))
    throw new Misconfiguration(
      'The account must be a name, or for MySQL and MariaDB a name and a host: janua@localhost.',
    );
  const quote = engine === 'mysql' ? '`' : '"';
  const quoted = (identifier: string) => quote + identifier.replaceAll(quote, quote + quote) + quote;
  const quotedTable = (table: string) => table.split('.').map(quoted).join('.');
  const to = engine === 'mysql' ? `'${name}'${host === undefined ? '' : `@'${host}'`}` : `"${name}"`;
  const grant = (what: string, table: string) => `GRANT ${what} ON ${quotedTable(table)} TO ${to};`;
  const unused = unusedTables({ users: ownTable === undefined, sessions: !sessionsInRedis });
  const tables = Object.entries(rights).filter(([table]) => !unused.has(table));
  return [
    ...(ownTable === undefined
      ? []
      : [grant(ownTable.writes === undefined ? read : `SELECT, UPDATE (${quoted(ownTable.writes)})`, ownTable.table)]),
    ...tables.map(([table, what]) => grant(what, table)),
  ];
}
