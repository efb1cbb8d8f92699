import type { AuditEvent } from '../audit/event.ts';
import type { Services } from '../compose.ts';
import { loadSettings } from '../config/load.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { type Lifted, type ListedKey, liftFailures, listFailures } from '../sign-in/password-attempts.ts';
import { networkOf } from '../text/networks.ts';
import { jsonLine } from '../text/printable.ts';
import { passwordFingerprint } from '../users/account.ts';
import { canonicalUsername } from '../users/user.ts';
import { createTrustedProxies } from '../web/client-address.ts';
import { administer } from './administer.ts';
import { commandCaller } from './command-caller.ts';
import { formatTable } from './table.ts';

/** Options as the operator typed them. */
interface LiftOptions {
  readonly address?: string;
  readonly all?: boolean;
}

const liftCommand = 'janua throttle lift';

/** Lists every key that has failures. */
export async function listThrottle({ json = false }: { readonly json?: boolean }): Promise<void> {
  requireSharedCounts();
  await administer('janua throttle list', async (_administration, { throttle, users, audit }) => {
    const describe = createDescription(users);
    const keys: DescribedKey[] = [];
    for await (const key of listFailures(throttle)) {
      const described = await describe(key);
      if (json) process.stdout.write(jsonLine(described));
      else keys.push(described);
    }
    if (json) return '';
    if (keys.length === 0) return 'Nobody has failed.';
    // A digest does not reveal a name, but the digest of a listed user's name can be recognised.
    const names = new Map(keys.map(({ username = '' }) => [audit.digestName(username), username]));
    const rows = keys.sort(byKindAndTime).map((key) => toRow(key, names));
    return formatTable([['KIND', 'WHOSE', 'FAILURES', 'LAST (UTC)', 'STATE'], ...rows]);
  });
}

/** Forgets failures, so that the next attempt passes. */
export async function liftThrottle(username: string | undefined, options: LiftOptions): Promise<void> {
  requireSharedCounts();
  const given = [username, options.address, options.all].filter((choice) => choice !== undefined);
  if (given.length !== 1) throw new Misconfiguration('Say what: an e-mail address, --address ADDRESS, or --all.');
  await administer(liftCommand, async (_administration, services) => {
    const { lifted, event } = await whose(username, options, services);
    const count = await liftFailures(services.throttle, lifted);
    await services.audit.record({ kind: 'throttle-lifted', caller: commandCaller(liftCommand), ...event });
    if (count === 0) return 'There were no failures to forget.';
    return count === 1 ? 'The failures of one key are forgotten.' : `The failures of ${count} keys are forgotten.`;
  });
}

/** Gives the keys to lift, and the event for the audit. The throttle may also have stopped a name that no user has. */
async function whose(
  username: string | undefined,
  { address }: LiftOptions,
  { users, audit }: Services,
): Promise<{ lifted: Lifted; event: Pick<AuditEvent, 'userId' | 'nameDigest' | 'reason'> }> {
  if (username !== undefined) {
    const name = canonicalUsername(username);
    const nameDigest = audit.digestName(name);
    const userId = (await users.findByUsername(name))?.user.id;
    return { lifted: { userId, nameDigest }, event: userId === undefined ? { nameDigest } : { userId } };
  }
  if (address === undefined) return { lifted: 'all', event: { reason: 'all' } };
  const network = countedNetwork(address);
  return { lifted: { address: network }, event: { reason: `address ${network}` } };
}

/** Gives the network that the throttle counts: for IPv6, the /64. `unknown` stands for all clients without a known address. */
function countedNetwork(address: string): string {
  const network = networkOf(createTrustedProxies([]).findClient(address.replace(/\/64$/, ''), undefined).address, 64);
  if (network === undefined && address !== 'unknown')
    throw new Misconfiguration(
      '--address must be an IP address, or "unknown" for all whose address could not be told.',
    );
  return network ?? address;
}

/** A command cannot see failures that a server counts in its own memory. */
function requireSharedCounts(): void {
  if (loadSettings().THROTTLE === 'on') return;
  throw new Misconfiguration('THROTTLE is not on: no failures are counted where a command could see them.');
}

interface DescribedKey extends Omit<ListedKey, 'passwordFingerprint'> {
  /** The user's name, if a user still has that id. */
  readonly username?: string;
  /** The failures were counted against an older password, so they no longer count. */
  readonly outdated: boolean;
}

/** Looks up each user once. */
function createDescription(users: Services['users']): (key: ListedKey) => Promise<DescribedKey> {
  const accounts = new Map<string, ReturnType<typeof users.findById>>();

  return async ({ passwordFingerprint: counted, ...key }) => {
    const { userId } = key;
    if (userId === undefined) return { ...key, outdated: false };
    const known = accounts.get(userId) ?? users.findById(userId);
    accounts.set(userId, known);
    const account = await known;
    if (account === undefined) return { ...key, outdated: true };
    return { ...key, username: account.user.username, outdated: passwordFingerprint(account) !== counted };
  };
}

function toRow(
  { kind, username, userId, nameDigest, address, failures, ...key }: DescribedKey,
  names: ReadonlyMap<string, string>,
): string[] {
  const user = username ?? (userId && `id ${userId}`);
  const name = nameDigest && (names.get(nameDigest) ?? nameDigest);
  const whose = [user, name, address].filter((part) => part !== undefined).join(' from ');
  return [kind, whose, String(failures), second(key.lastFailureAt), stateOf(key)];
}

function stateOf({ outdated, stopped, waitsUntil }: Pick<DescribedKey, 'outdated' | 'stopped' | 'waitsUntil'>): string {
  if (outdated) return 'over: of another password';
  if (stopped) return 'stopped: needs lifting';
  return waitsUntil === undefined ? '' : `waits until ${second(waitsUntil)}`;
}

const byKindAndTime = (one: DescribedKey, other: DescribedKey) =>
  one.kind.localeCompare(other.kind) || one.lastFailureAt.getTime() - other.lastFailureAt.getTime();

const second = (time: Date) => time.toISOString().slice(0, 19).replace('T', ' ');
