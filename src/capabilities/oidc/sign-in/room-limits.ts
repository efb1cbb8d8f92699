import type { Database } from '../../../ground/database/database.ts';
import { removeBeyond } from '../../../ground/database/deletions.ts';
import { repeated } from '../../../ground/database/transaction.ts';
import { endSiteOf } from '../../../ground/text/networks.ts';
import { exchangeGrant } from '../clients/library-client.ts';
import { mostMachineTokens } from '../machines/machine.ts';
import { keyOf, type Payload, table } from '../records/record-rows.ts';

/**
 * Most waiting requests of one user, and of all devices together. Anyone can begin a request on a device, so no user limits their number.
 * The same holds for requests that public clients push. A client that proves itself may push as many by itself.
 */
export const mostWaiting = { ofUser: 20, ofDevices: 1000, pushed: 1000 };

/** Most tokens that servers have got for one grant by exchange. They would use up the room of the application's own tokens. */
export const mostExchanged = 50;

/**
 * Returns the key that a record counts for: the user of a waiting sign-in, the network of a device, the client of a program's token, the
 * grant of an exchanged token, or the party of a pushed request.
 */
export function partyOf(
  model: string,
  { session, deviceInfo, clientId, party, gty, grantId }: Payload,
): string | undefined {
  if (model === 'AccessToken') return gty === exchangeGrant ? keyOf('exchanged', String(grantId)) : undefined;
  if (model === 'PushedAuthorizationRequest') return String(party);
  if (model === 'ClientCredentials') return String(clientId);
  if (model === 'Interaction') return (session as { accountId?: string } | undefined)?.accountId;
  return model === 'DeviceCode' ? endSiteOf((deviceInfo as { address?: string } | undefined)?.address) : undefined;
}

const isNetwork = (party: string): boolean => party.startsWith('network ');

/** Deletes the oldest records beyond the limit: of the user, of the program, or of the network with the most devices. */
export async function makeRoom(database: Database, model: string, party: string): Promise<void> {
  const waiting = database.selectFrom(table).where('model', '=', model);

  async function keepLatest(of: string | null, most: number): Promise<void> {
    const latest = waiting.select('id').where('party', '=', of).orderBy('created_at', 'desc').orderBy('id', 'desc');
    // Two requests that delete the same rows may deadlock, so the statement is repeated.
    await repeated(() => removeBeyond(database, table, latest, most));
  }

  if (model === 'AccessToken') return keepLatest(party, mostExchanged);
  if (model === 'ClientCredentials') return keepLatest(party, mostMachineTokens);
  if (model === 'Interaction') return keepLatest(party, mostWaiting.ofUser);
  const isPushed = model === 'PushedAuthorizationRequest';
  if (isPushed && !isNetwork(party)) return keepLatest(party, mostWaiting.pushed);
  const counts = await waiting
    .where('party', 'is not', null)
    .select(({ fn }) => ['party', fn.countAll().as('count')])
    .groupBy('party')
    .execute();
  const held = counts
    .map((row) => ({ party: row.party ?? '', count: Number(row.count) }))
    .filter((row) => !isPushed || isNetwork(row.party));
  // If two networks have equally many, the network of the present request counts as larger.
  const isLarger = (one: (typeof held)[0], other: (typeof held)[0]) =>
    one.count > other.count || (one.count === other.count && one.party === party);
  const reduced = new Set<(typeof held)[0]>();
  const most = isPushed ? mostWaiting.pushed : mostWaiting.ofDevices;
  let excess = held.reduce((sum, { count }) => sum + count, 0) - most;
  for (; excess > 0; excess -= 1) {
    const largest = held.reduce((best, one) => (isLarger(one, best) ? one : best));
    largest.count -= 1;
    reduced.add(largest);
  }
  for (const { party: of, count } of reduced) await keepLatest(of, count);
}
