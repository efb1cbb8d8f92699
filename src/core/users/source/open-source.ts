import type { OpenDatabase } from '../../../ground/database/database.ts';
import { sql } from '../../../ground/database/kysely.ts';
import { type Fault, Misconfiguration } from '../../../ground/faults/misconfiguration.ts';
import type { UserMapping } from './mapping.ts';
import { originOf } from './origin.ts';
import { judgeTable } from './requirements.ts';
import { createSource } from './source.ts';
import { describeTable } from './table-description.ts';

const scanMilliseconds = 60_000;

/**
 * Checks the structure of a team's own table of users, and opens it.
 * @returns the table and its `Origin`
 * @throws {Misconfiguration} with everything that keeps the table from working, and the fixes
 */
export async function readTable(
  opened: OpenDatabase,
  mapping: UserMapping,
  options: Parameters<typeof createSource>[3],
) {
  const { table } = mapping;
  const description = await describeTable(opened, table);
  if (description === undefined)
    throw new Misconfiguration(`USERS_TABLE: there is no table ${table} in the database of DATABASE_URL.`);
  if (description.hasChildren)
    throw new Misconfiguration({
      message: `USERS_TABLE: ${table} also has the rows of other tables, and its indexes do not keep these apart: two users could have the same id.`,
      fix: 'Name a table without child tables.',
    });
  if (!description.isTable) {
    const fix = 'Name the table behind it, which has the indexes.';
    throw new Misconfiguration({ message: `USERS_TABLE: ${table} is a view.`, fix });
  }
  const fitness = judgeTable(mapping, description, opened.engine, options.rehashes);
  const { id, nameMatch } = fitness;
  if (id === undefined || nameMatch === undefined || fitness.faults.length > 0)
    throw new Misconfiguration(...fitness.faults);
  const { schema, hidesRows, reusedId } = description;
  const found = schema === undefined || table.includes('.') ? mapping : { ...mapping, table: `${schema}.${table}` };
  return {
    /** The mapping, with the schema in which PostgreSQL finds the table. */
    mapping: found,
    source: createSource(opened, found, { ...fitness, id, nameMatch }, options),
    origin: originOf(found, { idKind: id.kind, hasPermanentIds: options.hasPermanentIds }),
    hidesRows,
    reusesIds: options.hasPermanentIds && reusedId === id.name,
  };
}

/** Does the same as `readTable`, and also returns faults that do not keep the table from working, such as rows without a name. */
export async function openSource(...given: Parameters<typeof readTable>) {
  const [opened] = given;
  const { hidesRows, reusesIds, ...table } = await readTable(...given);
  const { mapping } = table;
  const warnings = findSharedColumn(mapping);
  if (hidesRows) warnings.push(hiddenRows(mapping));
  if (reusesIds) warnings.push(reusedIds(mapping));
  await opened.withTimeout(scanMilliseconds, async () => {
    warnings.push(...(await findMissing(opened, mapping)));
  });
  return { ...table, warnings };
}

/** Warns if the username is also the id. If an address then passes to another person, Janua gives that person the former one's account. */
const findSharedColumn = ({ id, username }: UserMapping): Required<Fault>[] =>
  id.toLowerCase() === username.toLowerCase()
    ? [
        {
          message: `USERS_COLUMNS: ${username} is the id and the username. If a name passes to another person, so does the account.`,
          fix: 'Name a column as the id that no other person gets.',
        },
      ]
    : [];

const hiddenRows = ({ table }: UserMapping): Required<Fault> => ({
  message: `USERS_TABLE: policies of PostgreSQL choose which rows of ${table} Janua sees. A user whose row they hide counts as gone, and loses the account.`,
  fix: "Check that a policy shows every row to Janua's account, or let that account pass the policies: alter role … bypassrls",
});

const reusedIds = ({ id }: UserMapping): Required<Fault> => ({
  message: `USERS_ID=permanent: SQLite gives the id ${id} of the last row to the next person if that row is deleted, and so the account.`,
  fix: 'Make the table with AUTOINCREMENT, or set USERS_ID=reusable.',
});

/** Finds rows without a name or a password. Their users cannot sign in; all others can. */
async function findMissing({ database }: OpenDatabase, mapping: UserMapping): Promise<Required<Fault>[]> {
  const missing: Required<Fault>[] = [];
  for (const column of [mapping.username, mapping.password]) {
    const { rows } = await sql`
      select 1 from ${sql.table(mapping.table)} where ${sql.ref(column)} is null limit 1`.execute(database);
    if (rows.length > 0)
      missing.push({
        message: `USERS_COLUMNS: ${column} is NULL in some rows. Those users cannot sign in.`,
        fix: `Fill in ${column} where a user should sign in.`,
      });
  }
  return missing;
}
