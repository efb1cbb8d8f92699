import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { Engine } from './kysely.ts';
import { tables, unusedTables } from './tables.ts';

const read = 'SELECT';

export interface Granted {
  /** The name of a role. In MySQL and MariaDB, a user and a host: `janua@localhost`. */
  readonly account: string;
  /** A team's own table of users. `writes` is its column of passwords, if Janua may write it. */
  readonly ownTable: { readonly table: string; readonly writes: string | undefined } | undefined;
  readonly sessionsInRedis: boolean;
}

/**
 * Lists the statements that give an account the rights that a server needs.
 * @throws {Misconfiguration} for SQLite, which has no accounts, and for an invalid name
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
  const used = Object.entries(tables).filter(([table]) => !unused.has(table));
  return [
    ...(ownTable === undefined
      ? []
      : [grant(ownTable.writes === undefined ? read : `SELECT, UPDATE (${quoted(ownTable.writes)})`, ownTable.table)]),
    ...used.map(([table, { rights }]) => grant(rights, table)),
  ];
}
