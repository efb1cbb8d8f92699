import type { Database } from './database.ts';
import { insertNew } from './insert-new.ts';

/**
 * Tells whether this process may do the named work until `until`. Only one of all processes gets true.
 * Times are milliseconds since 1970. The clocks of the processes should not differ by more than the length of a lease.
 */
export async function claimLease(database: Database, name: string, now: number, until: number): Promise<boolean> {
  const { numUpdatedRows } = await database
    .updateTable('janua_leases')
    .set({ expires_at: until })
    .where('name', '=', name)
    .where('expires_at', '<=', now)
    .executeTakeFirst();
  if (numUpdatedRows > 0n) return true;
  const known = await database.selectFrom('janua_leases').select('name').where('name', '=', name).executeTakeFirst();
  return known === undefined && insertNew(database.insertInto('janua_leases').values({ name, expires_at: until }));
}
