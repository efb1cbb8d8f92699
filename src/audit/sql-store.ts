import type { Selectable } from 'kysely';
import type { OpenDatabase } from '../database/database.ts';
import { countDeleted } from '../database/deletions.ts';
import { sql } from '../database/kysely.ts';
import { prepareLookup } from '../database/lookup.ts';
import type { AuditTable } from '../database/schema.ts';
import { escapeUnit, printable } from '../text/printable.ts';
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

  return {
    async insert(events) {
      await database.insertInto('janua_audit').values(events.map(toRow)).execute();
    },

    async *find(filter) {
      const oldestFirst = filter.order === 'oldest-first';
      const direction = oldestFirst ? 'asc' : 'desc';
      let low = firstIdAt(filter.since ?? 0);
      let high = firstIdAt(filter.until ?? Number.POSITIVE_INFINITY);
      let rest = filter.limit ?? Number.POSITIVE_INFINITY;
      while (rest > 0) {
        // Where the next step begins.
        const border = await idAt(stepRows, low, high, direction);
        const [from, to] = oldestFirst ? [low, border ?? high] : [border ?? low, high];
        const rows = await rowsBetween(from, to, direction).selectAll().where(conditionOf(filter)).execute();
        for (const row of rows) {
          const event = fromRow(row, events);
          if (!('unreadable' in event || matches(event, filter))) continue;
          yield event;
          rest -= 1;
          if (rest <= 0) return;
        }
        if (border === undefined) return;
        if (oldestFirst) low = border;
        else high = border;
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
      return countDeleted(database.deleteFrom('janua_audit').where('id', '<', end));
    },
  };
}

/** The part of the filter that the database applies. It may ignore case and trailing spaces. */
function conditionOf({ kind, userId, nameDigest, address }: AuditFilter) {
  const ofUser = [...hasValue('user_id', userId), ...hasField('nameDigest', nameDigest)];
  const conditions = [
    sql<boolean>`1 = 1`,
    ...hasValue('kind', kind),
    ...(ofUser.length === 0 ? [] : [sql<boolean>`(${sql.join(ofUser, sql` or `)})`]),
    ...hasField('address', address),
  ];
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

/** No condition for a part of the filter that is left out. */
const hasValue = (column: keyof AuditTable, value: string | undefined) =>
  value === undefined ? [] : [sql<boolean>`${sql.ref(column)} = ${value}`];

/** JSON escapes the quotes in a text, so no text can look like a field. */
function hasField(name: string, value: string | undefined) {
  if (value === undefined) return [];
  const pattern = `%${`"${name}":${toAscii(value)}`.replaceAll(/[!%_]/g, '!$&')}%`;
  return [sql<boolean>`event like ${pattern} escape '!'`];
}

function matches(event: RecordedEvent, { userId, nameDigest, address }: AuditFilter): boolean {
  const ofAnyUser = userId === undefined && nameDigest === undefined;
  const ofUser =
    (userId !== undefined && event.userId === userId) || (nameDigest !== undefined && event.nameDigest === nameDigest);
  return (ofAnyUser || ofUser) && (address === undefined || event.caller.address === address);
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
const toAscii = (value: unknown) => JSON.stringify(value).replaceAll(/[\u007f-\uffff]/g, escapeUnit);

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
