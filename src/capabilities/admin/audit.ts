import type { Access } from '../../core/access/access.ts';
import { InvalidFields } from '../../core/access/refusal.ts';
import type { AuditOf } from '../../core/audit/audit.ts';
import type { Events, RecordedEvent } from '../../core/audit/event.ts';
import { describeAbout, describeDecision, describeReason, explain } from '../../core/audit/explanation.ts';
import type { AuditStore, EventFilter, UnreadableEvent } from '../../core/audit/sql-store.ts';
import type { JoinedPorts } from '../../core/ports.ts';
import { createFindNames, namesIn } from '../../core/users/find-names.ts';
import { canonicalUsername } from '../../core/users/user.ts';
import { findEventsOf, type UserDirectory } from '../../core/users/user-directory.ts';
import type { Translate } from '../../ground/languages/speech.ts';
import { csvLine } from '../../ground/text/csv.ts';
import { jsonLine } from '../../ground/text/printable.ts';
import { parseTime } from '../../ground/text/time.ts';
import { parseAddress } from '../../web/client-address.ts';
import { cursorOf, type ListQuery, type ListRules } from '../../web/list.ts';
import type { events as adminEvents } from './events.ts';

export interface AuditParts {
  readonly auditTrail: AuditStore;
  readonly audit: AuditOf<typeof adminEvents>;
  readonly access: Pick<Access, 'findSignedIn'>;
  readonly users: UserDirectory;
  /** The registry of Janua's own accounts. Undefined if the users are in a team's own table. */
  readonly registry: unknown;
  readonly ports: Pick<JoinedPorts, 'listClients'>;
}

export const auditRules = (events: Events): ListRules => ({
  filters: {
    kind: Object.keys(events),
    user: undefined,
    user_id: undefined,
    address: undefined,
    request_id: undefined,
    from: undefined,
    to: undefined,
  },
  keyLength: 1,
});

/** @throws {InvalidFields} for a time or an address that cannot be read, and for an end before the beginning */
export async function filterOf({ filters }: ListQuery, { users, audit }: AuditParts): Promise<EventFilter> {
  const { kind, user, user_id, address, request_id } = filters;
  const now = Date.now();
  const timeOf = (text: string | undefined) => (text ? parseTime(text, now) : undefined);
  const times = { from: timeOf(filters.from), to: timeOf(filters.to) };
  const faulty = (['from', 'to'] as const).filter((field) => filters[field] && times[field] === undefined);
  if (faulty.length > 0) throw new InvalidFields(...faulty.map((field) => ({ field, code: 'not-a-time' }) as const));
  const { from, to } = times;
  if (from !== undefined && to !== undefined && from >= to) throw new InvalidFields({ field: 'to', code: 'not-later' });
  const client = address ? parseAddress(address)?.toString() : undefined;
  if (address && client === undefined) throw new InvalidFields({ field: 'address', code: 'not-an-ip-address' });
  const name = user ? canonicalUsername(user) : undefined;
  const account = name === undefined ? undefined : await users.findByUsername(name);
  const found = account === undefined ? undefined : await findEventsOf(users, account.user, from);
  return {
    kind: kind || undefined,
    userId: found?.userId ?? (user_id || undefined),
    // Events without a known user hold a digest of the typed name. The digest has no index, so for the name of a user it is compared only
    // if `kind` narrows the search.
    nameDigest: name !== undefined && (found === undefined || kind) ? audit.digestName(name) : undefined,
    address: client,
    requestId: request_id || undefined,
    since: found?.since ?? from,
    until: to,
  };
}

/**
 * Reads a page of events, explained in words. It takes at most six statements: two for the user of the filter, two for the events, and two for
 * the names of users and of programs.
 */
export async function listEvents(list: ListQuery, events: Events, parts: AuditParts, tell: Translate) {
  const { auditTrail, users, registry, ports } = parts;
  const [after] = list.after ?? [];
  const { events: found, next } = await auditTrail.findPage(await filterOf(list, parts), list.limit, after);
  const ids = found.flatMap((event) => ('unreadable' in event ? [] : [event.userId, event.actorId]));
  const names = await createFindNames({ users, listClients: ports.listClients })(ids);
  const described = found.map((event) => {
    const about = { ...namesIn(names, 'unreadable' in event ? {} : event), ownTable: registry === undefined };
    const lines = 'unreadable' in event ? [] : explain(event, events, about, tell);
    const { username, program, actor } = about;
    return {
      ...fieldsOf(event, events),
      username: username ?? null,
      program: program ?? null,
      actor: actor ?? null,
      ...(!('unreadable' in event) && {
        why: describeReason(event, events, tell),
        what: describeAbout(event, tell),
      }),
      explanation: lines.map(([heading, text]) => ({ heading, text })),
    };
  });
  return { events: described, next_cursor: next === undefined ? null : cursorOf([next]) };
}

/** Exports every matching event as a file, line by line, the newest first. Events are read no faster than the client takes them. */
export async function* exportEvents(
  format: 'csv' | 'jsonl',
  filter: EventFilter,
  events: Events,
  { auditTrail }: Pick<AuditParts, 'auditTrail'>,
) {
  if (format === 'csv') yield csvLine(Object.keys(fieldsOf(noEvent, events)));
  for await (const event of auditTrail.find({ ...filter, order: 'newest-first' })) {
    const fields = fieldsOf(event, events);
    yield format === 'csv' ? csvLine(Object.values(fields).map((value) => String(value ?? ''))) : jsonLine(fields);
  }
}

/** A sample for the header of a CSV: `fieldsOf` returns every field for it. */
const noEvent: UnreadableEvent = { id: '', at: '', unreadable: true };

function fieldsOf(event: RecordedEvent | UnreadableEvent, events: Events) {
  const known: Partial<RecordedEvent> = 'unreadable' in event ? {} : event;
  return {
    id: event.id,
    time: event.at,
    kind: known.kind ?? null,
    decision: 'unreadable' in event ? null : describeDecision(event, events),
    reason: known.reason ?? null,
    about: known.about ?? null,
    count: known.count ?? null,
    user_id: known.userId ?? null,
    actor_id: known.actorId ?? null,
    name_digest: known.nameDigest ?? null,
    session_id: known.sessionId ?? null,
    address: known.caller?.address ?? null,
    user_agent: known.caller?.userAgent ?? null,
    route: known.caller?.route ?? null,
    operator: known.caller?.operator ?? null,
    request_id: known.caller?.requestId ?? null,
    about_name: known.aboutName ?? null,
  };
}
