import type { Database } from '../../../ground/database/database.ts';
import { insertNew } from '../../../ground/database/insert-new.ts';
import { Misconfiguration } from '../../../ground/faults/misconfiguration.ts';
import type { UserMapping } from './mapping.ts';
import type { ColumnKind } from './table-description.ts';

/** Where the accounts came from, by the names of the rows of `janua_sources`. With another one, they would be other people's. */
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

/** What each row says, in words. */
const words: Readonly<Record<keyof Origin, string>> = {
  users: 'USERS_TABLE: the accounts that Janua has came from',
  'users-key': 'USERS_COLUMNS: the ids of the accounts that Janua has are of the kind',
  'users-name': 'USERS_COLUMNS: the names of the accounts that Janua has came from the column',
  'users-id': 'USERS_ID: the accounts that Janua has were made with',
};

const entriesOf = (origin: Origin) => Object.entries(origin) as [keyof Origin, string][];

/** Takes the present table for the one that the accounts came from. */
export async function setOrigin(database: Database, wanted: Origin): Promise<void> {
  for (const [name, origin] of entriesOf(wanted)) {
    const row = database.updateTable('janua_sources').set({ origin }).where('name', '=', name);
    if ((await row.executeTakeFirst()).numUpdatedRows === 0n)
      await insertNew(database.insertInto('janua_sources').values({ name, origin }));
  }
}

/** @throws {Misconfiguration} if the accounts came from elsewhere */
export async function compareOrigin(database: Database, wanted: Origin): Promise<void> {
  const rows = await database.selectFrom('janua_sources').select(['name', 'origin']).execute();
  const known = new Map(rows.map(({ name, origin }) => [name, origin]));
  for (const [name, origin] of entriesOf(wanted))
    if ((known.get(name) ?? origin) !== origin)
      throw new Misconfiguration({
        message: `${words[name]} ${known.get(name)}, and not ${origin}.`,
        fix: 'Set the former one again. If the same rows are still the same people, run: npx janua users moved',
      });
}

/** The same, and notes where the accounts come from if there are none yet. */
export async function requireOrigin(database: Database, wanted: Origin): Promise<void> {
  // Of several servers that start at once, one notes it.
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
