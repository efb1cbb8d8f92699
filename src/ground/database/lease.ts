import { clockTolerance } from '../faults/clock.ts';
import type { Database } from './database.ts';
import { insertNew } from './insert-new.ts';

/**
 * Claims a lease: only one process gets true, and may do the named work until `until`. Times are milliseconds since 1970. The clocks of the
 * processes must not differ by more than the length of a lease, which is the same in all processes. A lease that ends more than
 * `clockTolerance` after `until` was claimed under a wrong clock, and does not count.
 */
export async function claimLease(database: Database, name: string, now: number, until: number): Promise<boolean> {
  const { numUpdatedRows } = await database
    .updateTable('janua_leases')
    .set({ expires_at: until })
    .where('name', '=', name)
    .where(({ or, eb }) => or([eb('expires_at', '<=', now), eb('expires_at', '>', until + clockTolerance)]))
    .executeTakeFirst();
  if (numUpdatedRows > 0n) return true;
  const known = await database.selectFrom('janua_leases').select('name').where('name', '=', name).executeTakeFirst();
  return known === undefined && insertNew(database.insertInto('janua_leases').values({ name, expires_at: until }));
}

/** How long a lease lasts without renewal, and how often it is renewed, in milliseconds. */
const heldMilliseconds = 10_000;
const renewalInterval = 3_000;

/**
 * Claims a lease for work of any length. Renews it until it is disposed of, and then releases it. A crashed process loses it within 10
 * seconds. Returns undefined if another process holds the lease.
 * @param now milliseconds since 1970
 */
export async function holdLease(database: Database, name: string, now: () => number) {
  const claimed = now() + heldMilliseconds;
  if (!(await claimLease(database, name, now(), claimed))) return undefined;
  let until = claimed;
  let extending = Promise.resolve();

  async function extend(next: number): Promise<void> {
    const held = until;
    const { numUpdatedRows } = await database
      .updateTable('janua_leases')
      .set({ expires_at: next })
      .where('name', '=', name)
      .where('expires_at', '=', held)
      .executeTakeFirst();
    until = numUpdatedRows > 0n ? next : 0;
  }

  // If the database cannot be reached, the lease is not renewed, and expires at its time.
  const renewal = setInterval(() => {
    extending = extending.then(() => extend(now() + heldMilliseconds)).catch(() => {});
  }, renewalInterval).unref();
  return {
    /** False once the lease has expired, for example because the process was suspended. Another process may hold the lease by then. */
    isHeld: () => now() < until,
    async [Symbol.asyncDispose]() {
      clearInterval(renewal);
      await extending;
      await extend(0).catch(() => {});
    },
  };
}
