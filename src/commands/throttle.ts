import type { LiftTarget, ThrottledKey } from '../core/access/throttled.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { countedNetwork } from '../web/client-address.ts';
import { administer } from './administer.ts';
import { list, secondOf } from './list.ts';

interface LiftOptions {
  readonly address?: string;
  readonly all?: boolean;
}

export async function listThrottle({ json }: { readonly json?: boolean }): Promise<void> {
  await administer('janua throttle list', ({ throttled }) =>
    list(throttled.list(), {
      json,
      none: 'There are no failures.',
      heading: ['KIND', 'SUBJECT', 'FAILURES', 'LAST (UTC)', 'STATE'],
      toRows: (keys) => keys.sort(byKindAndTime).map(toRow),
    }),
  );
}

export async function liftThrottle(username: string | undefined, options: LiftOptions): Promise<void> {
  const given = [username, options.address, options.all].filter((choice) => choice !== undefined);
  if (given.length !== 1)
    throw new Misconfiguration('Say which failures: an e-mail address, --address ADDRESS, or --all.');
  const target = targetOf(username, options);
  await administer('janua throttle lift', async ({ throttled }, caller) => {
    const count = await throttled.lift(target, { caller });
    if (count === 0) return 'There were no failures to forget.';
    return count === 1 ? 'The failures of one key are forgotten.' : `The failures of ${count} keys are forgotten.`;
  });
}

/** @throws {Misconfiguration} for an unreadable address */
function targetOf(username: string | undefined, { address }: LiftOptions): LiftTarget {
  if (username !== undefined) return { username };
  if (address === undefined) return 'all';
  const network = countedNetwork(address);
  if (network !== undefined) return { address: network };
  throw new Misconfiguration('--address must be an IP address, or "unknown" for clients without a known address.');
}

function toRow({ kind, username, userId, nameDigest, address, failures, ...key }: ThrottledKey): string[] {
  const user = username ?? (userId && `id ${userId}`) ?? nameDigest;
  const subject = [user, address].filter((part) => part !== undefined).join(' from ');
  return [kind, subject, String(failures), secondOf(key.lastFailureAt), stateOf(key)];
}

function stateOf({ outdated, stopped, waitsUntil }: Pick<ThrottledKey, 'outdated' | 'stopped' | 'waitsUntil'>): string {
  if (outdated) return 'no longer counts';
  if (stopped) return 'stopped until lifted';
  return waitsUntil === undefined ? '' : `waits until ${secondOf(waitsUntil)}`;
}

const byKindAndTime = (one: ThrottledKey, other: ThrottledKey) =>
  one.kind.localeCompare(other.kind) || one.lastFailureAt.getTime() - other.lastFailureAt.getTime();
