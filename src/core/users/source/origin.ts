import type { Database } from '../../../ground/database/database.ts';
import { insertNew } from '../../../ground/database/insert-new.ts';
import { Misconfiguration } from '../../../ground/faults/misconfiguration.ts';
import type { UserMapping } from './mapping.ts';

/** The only row of `janua_sources`. */
const name = 'users';

/** The table and its column of ids. */
export const originOf = ({ table, id }: UserMapping): string => `${table}.${id}`;

export async function setOrigin(database: Database, origin: string): Promise<void> {
  const row = database.updateTable('janua_sources').set({ origin }).where('name', '=', name);
  if ((await row.executeTakeFirst()).numUpdatedRows === 0n)
    await insertNew(database.insertInto('janua_sources').values({ name, origin }));
}

/**
 * Keys of another table would be other people, who would get accounts that are not theirs.
 * @throws {Misconfiguration} if the accounts came from another table or column
 */
export async function requireOrigin(database: Database, mapping: UserMapping): Promise<void> {
  const find = database.selectFrom('janua_sources').select('origin').where('name', '=', name);
  const known = await find.executeTakeFirst();
  if (known === undefined) return setOrigin(database, originOf(mapping));
  if (known.origin !== originOf(mapping))
    throw new Misconfiguration({
      message: `USERS_TABLE: the accounts that Janua has came from ${known.origin}, and not from ${originOf(mapping)}.`,
      fix: 'Set the former table and id again. If the same rows only have a new name, run: npx janua users moved',
    });
}
