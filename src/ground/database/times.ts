import type { Database } from './database.ts';
import { insertNew } from './insert-new.ts';

/** Finds when something last happened, in milliseconds since 1970. Undefined if it has never been stored. */
export async function findTime(database: Database, name: string): Promise<number | undefined> {
  const row = await database.selectFrom('janua_times').select('at').where('name', '=', name).executeTakeFirst();
  return row && Number(row.at);
}

/** @param at milliseconds since 1970 */
export async function setTime(database: Database, name: string, at: number): Promise<void> {
  const { numUpdatedRows } = await database
    .updateTable('janua_times')
    .set({ at })
    .where('name', '=', name)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) await insertNew(database.insertInto('janua_times').values({ name, at }));
}
