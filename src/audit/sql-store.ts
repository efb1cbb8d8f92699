import type { Selectable } from 'kysely';
import type { OpenDatabase } from '../database/database.ts';
import { countDeleted } from '../database/deletions.ts';
import { sql } from '../database/kysely.ts';
import type { AuditTable } from '../database/schema.ts';
import { escapeUnit, printable } from '../text/printable.ts';
import { type Events, type RecordedEvent, readEvent } from './event.ts';
import { firstIdAt } from './event-id.ts';

/** A row that this version cannot read as an event. It is from a newer version, or was edited by hand. */
export interface UnreadableEvent {
  readonly id: string;
  /** UTC, ISO 8601; empty if it cannot be read either. */
  readonly at: string;
  readonly unreadable: true;
}

export interface AuditFilter {
  readonly order: 'newest-first' | 'oldest-first';
  /** From `since` to before `until`, in milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly kind?: string | undefined;
  /** Events of this user or of this name. If both are given, one match is enough. */
  readonly userId?: string | undefined;
  readonly nameDigest?: string | undefined;
  readonly address?: string | undefined;
  readonly limit?: number | undefined;
}

export type AuditStore = ReturnType<typeof createSqlAuditStore>;

type Direction = 'asc' | 'desc';

/** Rows that one step reads, however few of them match. So each step is short in a table of any size. */
const stepRows = 1000;

/** Identifiers are in order of time, so a range of times is a range of identifiers. */
export function createSqlAuditStore({ database, prepareLookup }: OpenDatabase, events: Events) {
  const row = database.selectFrom('janua_audit').select(['id', 'at', 'request_id', 'event']).orderBy('id');
  const findRows = prepareLookup((requestId) => row.where('request_id', '=', requestId), 'request_id');

  const rowsBetween = (low: string, high: string, direction: Direction) =>
    database.selectFrom('janua_audit').where('id', '>=', low).where('id', '<', high).orderBy('id', direction);

  /** The id of the row after the first `offset` rows from `low` to before `high`; undefined if there are no more. */
  async function idAt(offset: number, low: string, high: string, direction: Direction): Promise<string | undefined> {
    const row = await rowsBetween(low, high, direction).select('id').offset(offset).limit(1).executeTakeFirst();
    return row?.id;
  }

  return {
    async insert(recorded: readonly RecordedEvent[]): Promise<void> {
      await database.insertInto('janua_audit').values(recorded.map(toRow)).execute();
    },

    async *find(filter: AuditFilter): AsyncGenerator<RecordedEvent | UnreadableEvent> {
      const oldestFirst = filter.order === 'oldest-first';
      const direction = oldestFirst ? 'asc' : 'desc';
      let low = firstIdAt(filter.since ?? 0);
      let high = firstIdAt(filter.until ?? Number.POSITIVE_INFINITY);
      let rest = filter.limit ?? Number.POSITIVE_INFINITY;
      while (rest > 0) {
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

    async findByRequestId(requestId: string): Promise<(RecordedEvent | UnreadableEvent)[]> {
      return (await findRows(requestId)).map((row) => fromRow(row, events));
    },

    /** Removes at most `limit` events from before `time` (milliseconds since 1970), oldest first. Returns how many it removed. */
    async removeBefore(time: number, limit: number): Promise<number> {
      const end = (await idAt(limit, firstIdAt(0), firstIdAt(time), 'asc')) ?? firstIdAt(time);
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
  const recorded = { id: printable(id), at: Number.isNaN(time.getTime()) ? '' : time.toISOString() };
  const read = readEvent(parse(event), events);
  return read === undefined || recorded.at === '' ? { ...recorded, unreadable: true } : { ...recorded, ...read };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
