import type { Selectable } from 'kysely';
import type { OpenDatabase } from '../database/database.ts';
import { sql } from '../database/kysely.ts';
import { prepareLookup } from '../database/lookup.ts';
import type { AuditTable } from '../database/schema.ts';
import { printable } from '../text/printable.ts';
import type { Events, RecordedEvent } from './event.ts';
import { firstIdAt } from './event-id.ts';
import { readEvent } from './read-event.ts';
import type { AuditFilter, AuditStore, UnreadableEvent } from './store.ts';

/** Rows that one step reads, however few of them match. So each step is short in a table of any size. */
const stepRows = 1000;

/** Events in a table of the SQL database. Identifiers are in order of time, so a range of times is a range of identifiers. */
export function createSqlAuditStore({ database, prepareRead }: OpenDatabase, events: Events): AuditStore {
  const findRows = prepareLookup(prepareRead, (requestId) =>
    database
      .selectFrom('janua_audit')
      .select(['id', 'at', 'request_id', 'event'])
      .where('request_id', '=', requestId)
      .orderBy('id'),
  );

  const rowsBetween = (low: string, high: string, direction: 'asc' | 'desc' = 'asc') =>
    database.selectFrom('janua_audit').where('id', '>=', low).where('id', '<', high).orderBy('id', direction);

  async function idAt(offset: number, ...range: Parameters<typeof rowsBetween>): Promise<string | undefined> {
    const row = await rowsBetween(...range)
      .select('id')
      .offset(offset)
      .limit(1)
      .executeTakeFirst();
    return row?.id;
  }

  async function* findAll(filter: AuditFilter): AsyncGenerator<RecordedEvent | UnreadableEvent> {
    let low = firstIdAt(filter.since ?? 0);
    let high = firstIdAt(filter.until ?? Number.POSITIVE_INFINITY);
    const oldestFirst = filter.order === 'oldest-first';
    const direction = oldestFirst ? 'asc' : 'desc';
    for (;;) {
      // Where the next step begins.
      const border = await idAt(stepRows, low, high, direction);
      const from = oldestFirst ? low : (border ?? low);
      const to = oldestFirst ? (border ?? high) : high;
      const rows = await rowsBetween(from, to, direction).selectAll().where(conditionOf(filter)).execute();
      for (const row of rows) {
        const event = fromRow(row, events);
        if ('unreadable' in event || matches(event, filter)) yield event;
      }
      if (border === undefined) return;
      if (oldestFirst) low = border;
      else high = border;
    }
  }

  return {
    async insert(events) {
      await database.insertInto('janua_audit').values(events.map(toRow)).execute();
    },

    async *find(filter) {
      let rest = filter.limit ?? Number.POSITIVE_INFINITY;
      if (rest <= 0) return;
      for await (const event of findAll(filter)) {
        yield event;
        rest -= 1;
        if (rest <= 0) return;
      }
    },

    async findByRequestId(requestId) {
      // MySQL ignores trailing spaces.
      return (await findRows(requestId))
        .filter((row) => row.request_id === requestId)
        .map((row) => fromRow(row, events));
    },

    async removeBefore(time, limit) {
      const end = (await idAt(limit, firstIdAt(0), firstIdAt(time))) ?? firstIdAt(time);
      const result = await database.deleteFrom('janua_audit').where('id', '<', end).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

/** The part of the filter that the database applies. It may ignore case and trailing spaces. */
function conditionOf({ kind, userId, nameDigest, address }: AuditFilter) {
  const whose = [
    ...(userId === undefined ? [] : [sql<boolean>`user_id = ${userId}`]),
    ...(nameDigest === undefined ? [] : [hasField('nameDigest', nameDigest)]),
  ];
  const conditions = [
    ...(kind === undefined ? [] : [sql<boolean>`kind = ${kind}`]),
    ...(whose.length === 0 ? [] : [sql<boolean>`(${sql.join(whose, sql` or `)})`]),
    ...(address === undefined ? [] : [hasField('address', address)]),
  ];
  return conditions.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

/** JSON escapes the quotes in a text, so no text can look like a field. */
function hasField(name: string, value: string) {
  const pattern = `%${`"${name}":${toAscii(value)}`.replaceAll(/[!%_]/g, '!$&')}%`;
  return sql<boolean>`event like ${pattern} escape '!'`;
}

function matches(event: RecordedEvent, { userId, nameDigest, address }: AuditFilter): boolean {
  const anybody = userId === undefined && nameDigest === undefined;
  const theirs =
    (userId !== undefined && event.userId === userId) || (nameDigest !== undefined && event.nameDigest === nameDigest);
  return (anybody || theirs) && (address === undefined || event.caller.address === address);
}

function toRow({ id, at, ...event }: RecordedEvent): AuditTable {
  return {
    id,
    at: Date.parse(at),
    kind: event.kind,
    request_id: event.caller.requestId ?? null,
    user_id: event.userId ?? null,
    event: toAscii(event),
  };
}

/** Every database can store ASCII, whatever its character set. Otherwise an unusual letter could make a login fail. */
function toAscii(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function fromRow(
  { id, at, event }: Pick<Selectable<AuditTable>, 'id' | 'at' | 'event'>,
  events: Events,
): RecordedEvent | UnreadableEvent {
  const time = new Date(Number(at));
  const isTime = !Number.isNaN(time.getTime());
  const read = readEvent(parse(event), events);
  if (read === undefined || !isTime)
    return { id: printable(id), at: isTime ? time.toISOString() : '', unreadable: true };
  return { id: printable(id), at: time.toISOString(), ...read };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
