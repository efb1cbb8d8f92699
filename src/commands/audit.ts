import type { Services } from '../compose.ts';
import type { RecordedEvent } from '../core/audit/event.ts';
import type { AuditFilter, UnreadableEvent } from '../core/audit/sql-store.ts';
import { createFindNames, type FindNames } from '../core/users/find-names.ts';
import { canonicalUsername } from '../core/users/user.ts';
import { findEventsOf } from '../core/users/user-directory.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { findNearest } from '../ground/text/nearest.ts';
import { parseTime } from '../ground/text/time.ts';
import { events } from '../site.ts';
import { parseAddress } from '../web/client-address.ts';
import { administer } from './administer.ts';
import { list } from './list.ts';

interface AuditOptions {
  readonly since?: string;
  readonly until?: string;
  readonly user?: string;
  readonly userId?: string;
  readonly kind?: string;
  readonly address?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

const defaultLimit = 50;

export const audit = (options: AuditOptions) =>
  administer('janua audit', async (services) => {
    const { json = false, limit } = options;
    const filter = await filterOf(options, services);
    const { auditTrail, users, ports } = services;
    const found =
      json && limit === undefined
        ? auditTrail.find({ ...filter, order: 'oldest-first' })
        : await findLatest(auditTrail, filter, limit);
    const findName = createFindOnce(createFindNames({ users, listClients: ports.listClients }));
    return list(found, {
      json,
      none: 'There are no such events.',
      heading: ['TIME (UTC)', 'EVENT', 'USER', 'BY', 'FROM', 'ROUTE', 'DETAILS', 'REQUEST'],
      toRows: (shown) => Array.fromAsync(shown, (event) => toRow(event, findName)),
    });
  });

async function findLatest(trail: Services['auditTrail'], filter: Omit<AuditFilter, 'order'>, limit = defaultLimit) {
  const found = await Array.fromAsync(trail.find({ ...filter, order: 'newest-first', limit }));
  return found.reverse();
}

async function filterOf({ since, until, user, userId, kind, address }: AuditOptions, services: Services) {
  if (user !== undefined && userId !== undefined) throw new Misconfiguration('Give --user or --user-id, not both.');
  const now = Date.now();
  const [from, to] = [timeOf('since', since, now), timeOf('until', until, now)];
  if (from !== undefined && to !== undefined && from >= to)
    throw new Misconfiguration('--until must be later than --since.');
  return {
    until: to,
    kind: kindOf(kind),
    address: addressOf(address),
    ...(user === undefined ? { userId, since: from } : await identify(user, from, services)),
  };
}

function kindOf(kind: string | undefined): string | undefined {
  if (kind === undefined || Object.hasOwn(events, kind)) return kind;
  const kinds = Object.keys(events);
  const nearest = findNearest(kinds, kind.toLowerCase(), 2);
  throw new Misconfiguration(
    nearest === undefined
      ? `--kind must be one of: ${kinds.join(', ')}.`
      : `--kind must be a kind of event. Did you mean ${nearest}?`,
  );
}

/**
 * Returns a filter for the events of a user, and for events with the digest of a name that had no user.
 * @param from milliseconds since 1970
 */
async function identify(username: string, from: number | undefined, { users, audit }: Services) {
  const name = canonicalUsername(username);
  const account = await users.findByUsername(name);
  const found = account === undefined ? { since: from } : await findEventsOf(users, account.user, from);
  return { ...found, nameDigest: audit.digestName(name) };
}

type FindName = (id: string) => Promise<string | undefined>;

function createFindOnce(findNames: FindNames): FindName {
  const found = new Map<string, ReturnType<FindName>>();
  return (id) => {
    const finding = found.get(id) ?? findNames([id]).then((names) => names.get(id)?.name);
    found.set(id, finding);
    return finding;
  };
}

function addressOf(text: string | undefined): string | undefined {
  const address = text === undefined ? undefined : parseAddress(text.trim())?.toString();
  if (text === undefined || address !== undefined) return address;
  throw new Misconfiguration('--address must be an IP address.');
}

function timeOf(option: string, text: string | undefined, now: number): number | undefined {
  const time = text === undefined ? undefined : parseTime(text, now);
  if (text === undefined || time !== undefined) return time;
  throw new Misconfiguration(`--${option} must be such as 30m, 24h, 7d, 2026-11-24 or 2026-11-24T08:00Z.`);
}

async function toRow(event: RecordedEvent | UnreadableEvent, findName: FindName): Promise<string[]> {
  const time = event.at.slice(0, 19).replace('T', ' ');
  if ('unreadable' in event) return [time, `unreadable (${event.id})`];
  const { kind, caller, userId, actorId, nameDigest, count, reason, about, aboutName = about } = event;
  const unknown = nameDigest === undefined ? '' : `unknown ${nameDigest}`;
  const nameOf = async (id: string) => (await findName(id)) ?? `id ${id}`;
  const counted = count === undefined ? undefined : `${count} in all`;
  return [
    time,
    kind.replaceAll('-', ' '),
    userId === undefined ? unknown : await nameOf(userId),
    actorId === undefined ? (caller.operator ?? '') : await nameOf(actorId),
    caller.address ?? '',
    caller.route,
    [reason, aboutName, counted].filter(Boolean).join(', '),
    caller.requestId ?? '',
  ];
}
