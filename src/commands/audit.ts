import { once } from 'node:events';
import type { RecordedEvent } from '../audit/event.ts';
import type { AuditFilter, UnreadableEvent } from '../audit/sql-store.ts';
import type { Services } from '../compose.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { events } from '../site.ts';
import { jsonLine } from '../text/printable.ts';
import { canonicalUsername } from '../users/user.ts';
import { administer } from './administer.ts';
import { formatTable } from './table.ts';

/** Options as the operator typed them. */
export interface AuditOptions {
  readonly since?: string;
  readonly until?: string;
  readonly user?: string;
  readonly userId?: string;
  readonly kind?: string;
  readonly address?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

/** Rows of the table when --limit is missing. */
const defaultLimit = 50;

const heading = ['TIME (UTC)', 'EVENT', 'USER', 'FROM', 'ROUTE', 'REASON', 'REQUEST'];

/** Shows recorded events, newest last: the latest as a table, or all as JSON lines. */
export const audit = (options: AuditOptions) =>
  administer('janua audit', async (_administration, services) => {
    const { json = false } = options;
    const limit = limitOf(options.limit);
    const filter = await filterOf(options, services);
    if (json && limit === undefined) {
      for await (const event of services.auditTrail.find({ ...filter, order: 'oldest-first' })) await writeLine(event);
      return '';
    }
    const newest = services.auditTrail.find({ ...filter, order: 'newest-first', limit: limit ?? defaultLimit });
    const found = (await Array.fromAsync(newest)).reverse();
    if (json) {
      for (const event of found) await writeLine(event);
      return '';
    }
    if (found.length === 0) return 'There are no such events.';
    const describeUser = createUserNames(services);
    const rows: string[][] = [];
    for (const event of found) rows.push(await toRow(event, describeUser));
    return formatTable([heading, ...rows]);
  });

async function filterOf(options: AuditOptions, services: Services): Promise<Omit<AuditFilter, 'order'>> {
  const now = Date.now();
  return {
    since: timeOf('since', options.since, now),
    until: timeOf('until', options.until, now),
    kind: kindOf(options.kind),
    address: options.address?.trim().toLowerCase(),
    ...(await whose(options, services)),
  };
}

/** Gives the id of the user with that name, and the digest under which events about an unknown name are recorded. */
async function whose({ user, userId }: AuditOptions, { users, audit: { digestName } }: Services) {
  if (user !== undefined && userId !== undefined) throw new Misconfiguration('Give --user or --user-id, not both.');
  if (user === undefined) return { userId };
  const name = canonicalUsername(user);
  return { userId: (await users.findByUsername(name))?.user.id, nameDigest: digestName(name) };
}

function kindOf(kind: string | undefined): string | undefined {
  if (kind === undefined || Object.hasOwn(events, kind)) return kind;
  throw new Misconfiguration(`--kind must be one of: ${Object.keys(events).join(', ')}.`);
}

function limitOf(limit: string | undefined): number | undefined {
  if (limit === undefined) return undefined;
  if (/^[1-9]\d{0,5}$/.test(limit)) return Number(limit);
  throw new Misconfiguration('--limit must be a whole number, from 1 to 999999.');
}

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads an age such as `24h`, or a time of ISO 8601. A time without a zone is UTC. */
function timeOf(option: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (number !== undefined) return now - Number(number) * (units[unit] ?? 0);
  const [, date, clock = 'T00:00', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)(?:(T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text) ?? [];
  const time = Date.parse(`${date}${clock}${zone}`);
  if (!Number.isNaN(time)) return time;
  throw new Misconfiguration(`--${option} must be such as 30m, 24h, 7d, 2026-11-24 or 2026-11-24T08:00Z.`);
}

/** Looks up each user once. */
function createUserNames({ users }: Services): (userId: string) => Promise<string> {
  const names = new Map<string, string>();
  return async (userId) => {
    const known = names.get(userId) ?? (await users.findById(userId))?.user.username ?? `id ${userId}`;
    names.set(userId, known);
    return known;
  };
}

async function toRow(
  event: RecordedEvent | UnreadableEvent,
  describeUser: (userId: string) => Promise<string>,
): Promise<string[]> {
  const time = event.at.slice(0, 19).replace('T', ' ');
  if ('unreadable' in event) return [time, `unreadable (${event.id})`];
  const { kind, caller, userId, nameDigest, count } = event;
  const unknown = nameDigest === undefined ? '' : `unknown ${nameDigest}`;
  const counted = count === undefined ? undefined : `${count} in all`;
  return [
    time,
    kind.replaceAll('-', ' '),
    userId === undefined ? unknown : await describeUser(userId),
    caller.address ?? caller.operator ?? '',
    caller.route,
    [event.reason, counted].filter(Boolean).join(', '),
    caller.requestId ?? '',
  ];
}

/** Waits until the reader keeps up, because an export may be far larger than memory. */
async function writeLine(event: RecordedEvent | UnreadableEvent): Promise<void> {
  if (!process.stdout.write(jsonLine(event))) await once(process.stdout, 'drain');
}
