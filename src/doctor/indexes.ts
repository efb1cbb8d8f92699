import { type Check, ok, warning, wrong } from '../../selftest/finding.ts';
import type { OpenDatabase } from '../database/database.ts';
import { describeTable } from '../users/mapped/inspection/describe-table.ts';
import type { UserMapping } from '../users/mapped/mapping.ts';
import { judgeTable } from '../users/mapped/requirements.ts';

interface Lookup {
  readonly what: string;
  readonly table: string;
  readonly column: string;
  readonly unique: boolean;
}

const sessionLookups: readonly Lookup[] = [
  { what: 'a session by its id', table: 'janua_sessions', column: 'id', unique: true },
  { what: 'the sessions of a user', table: 'janua_sessions', column: 'user_id', unique: false },
];

const userLookups: readonly Lookup[] = [
  { what: 'a user by name', table: 'janua_users', column: 'username', unique: true },
  { what: 'a user by id', table: 'janua_users', column: 'id', unique: true },
];

export interface LookedUp {
  /** Whether sessions are in our own table. */
  readonly sessions: boolean;
  /** `mapping` describes a team's own table of users, if there is one. `users` is undefined if the check could not read the users. */
  readonly users: { readonly mapping: UserMapping | undefined } | undefined;
}

/** Checks that every look-up of a request can use an index. */
export async function* checkIndexes(opened: OpenDatabase, { sessions, users }: LookedUp): Check {
  const mapping = users?.mapping;
  const ownUsers = users !== undefined && mapping === undefined;
  const lookups = [...(sessions ? sessionLookups : []), ...(ownUsers ? userLookups : [])];
  const found: string[] = [];
  for (const lookup of lookups) {
    const { what, table, column, unique } = lookup;
    const description = await describeTable(opened, table);
    if (description === undefined)
      yield warning(`It could not be seen how ${what} is found: ${table} is hidden from this account.`, grant(table));
    else if (
      description.indexes.some(
        (index) => index.column === column && index.form === 'plain' && (index.unique || !unique),
      )
    )
      found.push(what);
    else
      yield wrong(
        unique
          ? `No unique index finds ${what}: the whole table would be read each time, or two rows be found.`
          : `No index finds ${what}: the whole table would be read each time.`,
        createIndex(lookup),
      );
  }
  if (mapping !== undefined && (await findsByIndex(opened, mapping))) found.push(`a user of ${mapping.table}`);
  if (found.length > 0) yield ok(`By an index are found: ${found.join(', ')}.`);
}

/** Reports nothing itself, because the `users` check reports the faults of the table. */
async function findsByIndex(opened: OpenDatabase, mapping: UserMapping): Promise<boolean> {
  const description = await describeTable(opened, mapping.table);
  if (!description?.isTable) return false;
  const { faults, nameMatch } = judgeTable(mapping, description, opened.engine, false);
  return faults.length === 0 && nameMatch !== 'equal-then-scan';
}

const grant = (table: string) => `Grant SELECT on ${table} to the account of DATABASE_URL.`;

const createIndex = ({ table, column, unique }: Lookup) =>
  `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${table}_${column} ON ${table} (${column});`;
