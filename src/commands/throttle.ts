import type { AuditEvent } from '../audit/event.ts';
import type { Services } from '../compose.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { type Lifted, type ListedKey, liftFailures, listFailures } from '../sign-in/login-limits.ts';
import { networkOf } from '../text/networks.ts';
import { passwordFingerprint } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import { parseAddress } from '../web/client-address.ts';
import { administer } from './administer.ts';
import { createFindOnce, identify } from './find-users.ts';
import { list, secondOf } from './list.ts';

interface LiftOptions {
  readonly address?: string;
  readonly all?: boolean;
}

export async function listThrottle({ json }: { readonly json?: boolean }): Promise<void> {
  await administer('janua throttle list', async ({ throttle, users, audit }) =>
    list(describeKeys(listFailures(throttle), users), {
      json,
      none: 'There are no failures.',
      heading: ['KIND', 'SUBJECT', 'FAILURES', 'LAST (UTC)', 'STATE'],
      toRows(keys) {
        // A digest does not reveal a name, but the digest of a listed user's name can be recognised.
        const names = new Map(keys.map(({ username = '' }) => [audit.digestName(username), username]));
        return keys.sort(byKindAndTime).map((key) => toRow(key, names));
      },
    }),
  );
}

export async function liftThrottle(username: string | undefined, options: LiftOptions): Promise<void> {
  const given = [username, options.address, options.all].filter((choice) => choice !== undefined);
  if (given.length !== 1)
    throw new Misconfiguration('Say which failures: an e-mail address, --address ADDRESS, or --all.');
  await administer('janua throttle lift', async (services, caller) => {
    const { lifted, event } = await chooseKeys(username, options, services);
    const count = await liftFailures(services.throttle, lifted);
    await services.audit.record({ kind: 'throttle-lifted', caller, ...event });
    if (count === 0) return 'There were no failures to forget.';
    return count === 1 ? 'The failures of one key are forgotten.' : `The failures of ${count} keys are forgotten.`;
  });
}

/** Gives the keys to lift, and the event for the audit. The throttle may also have stopped a name that no user has. */
async function chooseKeys(
  username: string | undefined,
  { address }: LiftOptions,
  services: Services,
): Promise<{ lifted: Lifted; event: Pick<AuditEvent, 'userId' | 'nameDigest' | 'reason'> }> {
  if (username !== undefined) {
    const lifted = await identify(username, services);
    const { userId, nameDigest } = lifted;
    return { lifted: { ...lifted, codes: true }, event: userId === undefined ? { nameDigest } : { userId } };
  }
  if (address === undefined) return { lifted: 'all', event: { reason: 'all' } };
  const network = countedNetwork(address);
  return { lifted: { address: network }, event: { reason: `address ${network}` } };
}

/** Gives the network that the throttle counts: for IPv6, the /64. `unknown` stands for all clients without a known address. */
function countedNetwork(address: string): string {
  const network = networkOf(parseAddress(address.replace(/\/64$/, ''))?.toString(), 64);
  if (network === undefined && address !== 'unknown')
    throw new Misconfiguration('--address must be an IP address, or "unknown" for clients without a known address.');
  return network ?? address;
}

interface DescribedKey extends Omit<ListedKey, 'passwordFingerprint'> {
  readonly username?: string;
  /** The failures were counted against an older password, so they no longer count. */
  readonly outdated: boolean;
}

async function* describeKeys(keys: AsyncIterable<ListedKey>, users: UserDirectory): AsyncGenerator<DescribedKey> {
  const findUser = createFindOnce(users);
  for await (const { passwordFingerprint: counted, ...key } of keys) {
    const account = key.userId === undefined ? undefined : await findUser(key.userId);
    const isOfUser = key.userId !== undefined;
    // A new password does not end failures of codes, which carry no fingerprint.
    const isOtherPassword = counted !== undefined && account !== undefined && passwordFingerprint(account) !== counted;
    const outdated = isOfUser && (account === undefined || isOtherPassword);
    yield { ...key, ...(account && { username: account.user.username }), outdated };
  }
}

function toRow(
  { kind, username, userId, nameDigest, address, failures, ...key }: DescribedKey,
  names: ReadonlyMap<string, string>,
): string[] {
  const user = username ?? (userId && `id ${userId}`);
  const name = nameDigest && (names.get(nameDigest) ?? nameDigest);
  const subject = [user, name, address].filter((part) => part !== undefined).join(' from ');
  return [kind, subject, String(failures), secondOf(key.lastFailureAt), stateOf(key)];
}

function stateOf({ outdated, stopped, waitsUntil }: Pick<DescribedKey, 'outdated' | 'stopped' | 'waitsUntil'>): string {
  if (outdated) return 'no longer counts';
  if (stopped) return 'stopped until lifted';
  return waitsUntil === undefined ? '' : `waits until ${secondOf(waitsUntil)}`;
}

const byKindAndTime = (one: DescribedKey, other: DescribedKey) =>
  one.kind.localeCompare(other.kind) || one.lastFailureAt.getTime() - other.lastFailureAt.getTime();
