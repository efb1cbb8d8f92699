import type { Database } from '../../../ground/database/database.ts';
import { insertNew } from '../../../ground/database/insert-new.ts';
import { inTransaction } from '../../../ground/database/transaction.ts';
import { Misconfiguration } from '../../../ground/faults/misconfiguration.ts';
import { ChangeRefused } from '../change-refused.ts';
import { type AdoptionOptions, detach } from './adoption.ts';
import type { UserMapping } from './mapping.ts';
import type { Source } from './source.ts';
import type { ColumnKind } from './table-description.ts';

/**
 * The table and columns that the accounts were created from. The keys are the names of rows of `janua_sources`. With another table or
 * column, the same ids could stand for other people.
 */
export type Origin = ReturnType<typeof originOf>;

export const originOf = (
  { table, id, username }: UserMapping,
  { idKind, hasPermanentIds }: { readonly idKind: ColumnKind; readonly hasPermanentIds: boolean },
) => ({
  users: `${table}.${id}`,
  'users-key': idKind,
  'users-name': username,
  'users-id': hasPermanentIds ? 'permanent' : 'reusable',
});

/** The beginning of the message if a row differs. */
const words: Readonly<Record<keyof Origin, string>> = {
  users: 'USERS_TABLE: the accounts that Janua has came from',
  'users-key': 'USERS_COLUMNS: the ids of the accounts that Janua has are of the kind',
  'users-name': 'USERS_COLUMNS: the names of the accounts that Janua has came from the column',
  'users-id': 'USERS_ID: the accounts that Janua has were made with',
};

const entriesOf = (origin: Origin) => Object.entries(origin) as [keyof Origin, string][];

interface Move extends AdoptionOptions {
  readonly origin: Origin;
  /** Whether to end the accounts that would belong to other people. */
  readonly force: boolean;
}

export interface Moved {
  /** The number of accounts that have ended. */
  readonly ended: number;
  /** The table and its column of ids. */
  readonly table: string;
  /** The value of `USERS_ID`. */
  readonly ids: string;
}

const accountsAtOnce = 500;

/**
 * Stores the present table as the origin of the accounts.
 * @throws {ChangeRefused} without `force`, if accounts would end, or belong to other people
 */
export async function moveAccounts({ origin, force, ...options }: Move): Promise<Moved> {
  const { database, source } = options;
  let strangers = 0;
  for await (const { others, people } of listStrangers(database, source)) {
    strangers += others.length;
    if (force)
      await inTransaction(database, async (db) => {
        for (const { id, username, source_key: key } of others)
          if (key !== null) await detach({ id, username }, key, people.has(key) ? 'renamed' : 'gone', db, options);
      });
  }
  if (strangers > 0 && !force)
    throw new ChangeRefused(
      `Accounts whose id has no row in the present USERS_TABLE, or one with another name: ${strangers}. ` +
        'If these users have left, or are other people now, end their accounts: ./bin/janua users moved --force',
    );
  await setOrigin(database, origin);
  return { ended: strangers, table: origin.users, ids: origin['users-id'] };
}

/** Lists, a page at a time, the accounts whose id has no row in the team's table, or one with another name. */
async function* listStrangers(database: Database, source: Source) {
  const attached = database.selectFrom('janua_users').select(['id', 'username', 'source_key']);
  for (let after: string | null = null; ; ) {
    // No `source_key > ''` on the first page: in MariaDB, a key that begins with a control character sorts before the empty text.
    const page: typeof attached =
      after === null ? attached.where('source_key', 'is not', null) : attached.where('source_key', '>', after);
    const rows = await page.orderBy('source_key').limit(accountsAtOnce).execute();
    const people = await source.findAll(rows.flatMap(({ source_key: key }) => key ?? []));
    yield { people, others: rows.filter((row) => people.get(row.source_key ?? '')?.username !== row.username) };
    after = rows.at(-1)?.source_key ?? null;
    if (rows.length < accountsAtOnce) return;
  }
}

/** Counts the accounts that would belong to other people, or to nobody, with another table. @param source the table, in any database */
export async function countStrangers(database: Database, source: Source): Promise<number> {
  let count = 0;
  for await (const { others } of listStrangers(database, source)) count += others.length;
  return count;
}

/** Stores the table and columns that the accounts come from, in place of the former ones. */
export async function setOrigin(database: Database, wanted: Origin): Promise<void> {
  for (const [name, origin] of entriesOf(wanted)) {
    const row = database.updateTable('janua_sources').set({ origin }).where('name', '=', name);
    if ((await row.executeTakeFirst()).numUpdatedRows === 0n)
      await insertNew(database.insertInto('janua_sources').values({ name, origin }));
  }
}

/** @throws {Misconfiguration} if the accounts were created from another table or other columns */
export async function compareOrigin(database: Database, wanted: Origin): Promise<void> {
  const rows = await database.selectFrom('janua_sources').select(['name', 'origin']).execute();
  const known = new Map(rows.map(({ name, origin }) => [name, origin]));
  for (const [name, origin] of entriesOf(wanted))
    if ((known.get(name) ?? origin) !== origin)
      throw new Misconfiguration({
        message: `${words[name]} ${known.get(name)}, and not ${origin}.`,
        fix: 'Set the former one again. If the same rows are still the same people, run: ./bin/janua users moved',
      });
}

/** Does the same as `compareOrigin`, and stores the origin if none is stored yet. */
export async function requireOrigin(database: Database, wanted: Origin): Promise<void> {
  // If several servers start at once, only one of them stores it.
  for (const [name, origin] of entriesOf(wanted))
    await insertNew({
      async execute() {
        const known = database.selectFrom('janua_sources').select('name').where('name', '=', name);
        if ((await known.executeTakeFirst()) !== undefined) return;
        await database.insertInto('janua_sources').values({ name, origin }).execute();
      },
    });
  await compareOrigin(database, wanted);
}
