import { type Check, ok, warning, wrong } from '../../selftest/finding.ts';
import type { OpenDatabase } from '../database/database.ts';
import { describeTable } from '../users/mapped/inspection/describe-table.ts';
import type { UserMapping } from '../users/mapped/mapping.ts';
import { judgeTable } from '../users/mapped/requirements.ts';

const lookups = {
  sessions: [
    { what: 'a session by its id', table: 'janua_sessions', column: 'id', unique: true },
    { what: 'the sessions of a user', table: 'janua_sessions', column: 'user_id', unique: false },
  ],
  users: [
    { what: 'a user by name', table: 'janua_users', column: 'username', unique: true },
    { what: 'a user by id', table: 'janua_users', column: 'id', unique: true },
  ],
} as const;

/**
 * Checks that every look-up of a request can use an index.
 * @param sessions whether sessions are in our own table
 * @param users has a mapping if users are in a team's own table. Undefined if the users could not be read.
 */
export async function* checkIndexes(
  opened: OpenDatabase,
  sessions: boolean,
  users: { readonly mapping: UserMapping | undefined } | undefined,
): Check {
  const mapping = users?.mapping;
  const ownUsers = users !== undefined && mapping === undefined;
  const found: string[] = [];
  const needed = [...(sessions ? lookups.sessions : []), ...(ownUsers ? lookups.users : [])];
  for (const { what, table, column, unique } of needed) {
    const description = await describeTable(opened, table);
    const isFound = description?.indexes.some(
      (index) => index.column === column && index.form === 'plain' && (index.unique || !unique),
    );
    const kind = unique ? 'unique index' : 'index';
    if (isFound) found.push(what);
    else if (description === undefined)
      yield warning(
        `Janua could not see how the database finds ${what}: ${table} is hidden from this account.`,
        `Grant SELECT on ${table} to the account of DATABASE_URL.`,
      );
    else
      yield wrong(
        `No ${kind} finds ${what}: each look-up reads the whole table${unique ? ', or finds two rows' : ''}.`,
        `CREATE ${kind.toUpperCase()} ${table}_${column} ON ${table} (${column});`,
      );
  }
  if (mapping !== undefined && (await findsByIndex(opened, mapping))) found.push(`a user of ${mapping.table}`);
  if (found.length > 0) yield ok(`An index finds: ${found.join(', ')}.`);
}

/** Reports nothing itself, because the `users` check reports the faults of the table. */
async function findsByIndex(opened: OpenDatabase, mapping: UserMapping): Promise<boolean> {
  const description = await describeTable(opened, mapping.table);
  if (!description?.isTable) return false;
  const { faults, nameMatch } = judgeTable(mapping, description, opened.engine, false);
  return faults.length === 0 && nameMatch !== 'equal-then-scan';
}
