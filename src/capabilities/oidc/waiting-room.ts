import type { Database } from '../../ground/database/database.ts';
import { repeated } from '../../ground/database/transaction.ts';
import { endSiteOf } from '../../ground/text/networks.ts';
import { type Payload, table } from './record-rows.ts';

/** Requests that wait at a time: of one user, and of all devices, which anyone may begin. */
export const mostWaiting = { ofUser: 20, ofDevices: 1000 };

const removedAtOnce = 500;

/** Whose a request is that waits: the user of a sign-in, or the network that a device asked from. */
export function partyOf(model: string, { session, deviceInfo }: Payload): string | undefined {
  if (model === 'Interaction') return (session as { accountId?: string } | undefined)?.accountId;
  return model === 'DeviceCode' ? endSiteOf((deviceInfo as { address?: string } | undefined)?.address) : undefined;
}

/** Once too many requests of a user wait, the oldest go. */
async function makeRoomOfUser(database: Database, party: string): Promise<void> {
  const waiting = database.selectFrom(table).select('id').where('model', '=', 'Interaction').where('party', '=', party);
  const latest = waiting.orderBy('created_at', 'desc').orderBy('id', 'desc');
  await remove(database, await latest.limit(removedAtOnce).offset(mostWaiting.ofUser).execute());
}

async function remove(database: Database, rows: readonly { readonly id: string }[]): Promise<void> {
  const ids = rows.map(({ id }) => id);
  // Two requests may remove the same ones, and wait for each other.
  if (ids.length > 0) await repeated(() => database.deleteFrom(table).where('id', 'in', ids).execute());
}

/** Once too many requests wait, the oldest go: of the user, or of the network that holds most devices. */
export async function makeRoom(database: Database, model: string, party: string): Promise<void> {
  if (model === 'Interaction') return makeRoomOfUser(database, party);
  const waiting = database.selectFrom(table).where('model', '=', model);
  const counts = await waiting
    .where('party', 'is not', null)
    .select(({ fn }) => ['party', fn.countAll().as('count')])
    .groupBy('party')
    .execute();
  const held = counts.map((row) => ({ party: row.party, count: Number(row.count), over: 0 }));
  // Of equals, the party that has just asked.
  const isLarger = (one: (typeof held)[0], other: (typeof held)[0]) =>
    one.count > other.count || (one.count === other.count && one.party === party);
  let excess = held.reduce((sum, { count }) => sum + count, 0) - mostWaiting.ofDevices;
  for (; excess > 0; excess -= 1) {
    const largest = held.reduce((best, one) => (isLarger(one, best) ? one : best));
    largest.count -= 1;
    largest.over += 1;
  }
  for (const { party: of, over } of held.filter((one) => one.over > 0)) {
    const oldest = waiting.select('id').where('party', '=', of).orderBy('created_at').orderBy('id').limit(over);
    await remove(database, await oldest.execute());
  }
}
