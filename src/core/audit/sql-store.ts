import { setImmediate } from 'node:timers/promises';
import type { RawBuilder, Selectable } from 'kysely';
import type { OpenDatabase } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { sql } from '../../ground/database/kysely.ts';
import { runPart } from '../../ground/database/long-work.ts';
import type { AuditTable } from '../../ground/database/schema.ts';
import { escapeUnit, printable } from '../../ground/text/printable.ts';
import { type Events, type RecordedEvent, readEvent } from './event.ts';
import { firstIdAt } from './event-id.ts';

/** A row that this version cannot read as an event. It is from a newer version, or was edited by hand. */
export interface UnreadableEvent {
  readonly id: string;
  /** UTC, ISO 8601; empty if it cannot be read either. */
  readonly at: string;
  readonly unreadable: true;
}

export interface EventFilter {
  /** Milliseconds since 1970. `since` is included, `until` is not. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly kind?: string | undefined;
  /** Events of this user or of this name. If both are given, one match is enough. */
  readonly userId?: string | undefined;
  readonly nameDigest?: string | undefined;
  readonly address?: string | undefined;
  readonly requestId?: string | undefined;
}

export interface AuditFilter extends EventFilter {
  readonly order: 'newest-first' | 'oldest-first';
  readonly limit?: number | undefined;
}

export type AuditStore = ReturnType<typeof createSqlAuditStore>;

type Direction = 'asc' | 'desc';

/** Rows that one step reads, however few of them match. Each step is therefore short in a table of any size. */
const stepRows = 250;

/** Rows that a page may compare with a filter that has no index. */
const comparedRows = 10_000;

/**
 * Rows that one step of a page compares. Other requests get a turn between two steps. SQLite compares them in this process: 2,000 rows take
 * about 3 ms. A database server compares all rows in one step, because each step costs two statements.
 */
const comparedAtOnce = { sqlite: 2000, mysql: comparedRows, postgres: comparedRows } as const;

/** Stores events in the database. Identifiers are in order of time, so a range of times is a range of identifiers. */
export function createSqlAuditStore({ database, engine, prepareLookup }: OpenDatabase, described: Events) {
  const row = database.selectFrom('janua_audit').select(['id', 'at', 'request_id', 'event']).orderBy('id');
  const findRows = prepareLookup((requestId) => row.where('request_id', '=', requestId), 'request_id');

  const rowsBetween = (low: string, high: string, direction: Direction) =>
    database.selectFrom('janua_audit').where('id', '>=', low).where('id', '<', high).orderBy('id', direction);

  /** Returns the id of the row after the first `offset` rows, or undefined if there are no more. */
  async function idAt(offset: number, rows: ReturnType<typeof rowsBetween>): Promise<string | undefined> {
    return (await rows.select('id').offset(offset).limit(1).executeTakeFirst())?.id;
  }

  /**
   * Reads a step of a search through the ids from `low` to `high`. `border` separates the step from the remaining ids. It is undefined if
   * none remain.
   */
  async function readStep(filter: AuditFilter, low: string, high: string) {
    const { indexed, compared } = conditionsOf(filter);
    const oldestFirst = filter.order === 'oldest-first';
    const direction = oldestFirst ? 'asc' : 'desc';
    const border = await idAt(stepRows, rowsBetween(low, high, direction).where(indexed));
    const [from, to] = oldestFirst ? [low, border ?? high] : [border ?? low, high];
    const rows = await rowsBetween(from, to, direction).where(indexed).where(compared).selectAll().execute();
    return {
      border,
      events: rows.map((row) => fromRow(row, described)).filter((event) => matchesFilter(event, filter)),
    };
  }

  return {
    /** @param db the transaction of the change that the events record. Default: none */
    async insert(recorded: readonly RecordedEvent[], db = database): Promise<void> {
      await db.insertInto('janua_audit').values(recorded.map(toRow)).execute();
    },

    async *find(filter: AuditFilter): AsyncGenerator<RecordedEvent | UnreadableEvent> {
      let low = firstIdAt(filter.since ?? 0);
      let high = firstIdAt(filter.until ?? Number.POSITIVE_INFINITY);
      let rest = filter.limit ?? Number.POSITIVE_INFINITY;
      while (rest > 0) {
        const { border, events } = await runPart(() => readStep(filter, low, high));
        for (const event of events) {
          yield event;
          rest -= 1;
          if (rest <= 0) return;
        }
        if (border === undefined) return;
        if (filter.order === 'oldest-first') low = border;
        else high = border;
      }
    },

    /**
     * Reads a page of events, the newest first, in two statements for each step. A page may be short although more pages follow, because it
     * compares no more rows than `comparedRows`.
     * @param after the `next` of the previous page
     */
    async findPage(filter: EventFilter, limit: number, after: string | undefined) {
      const { indexed, compared } = conditionsOf(filter);
      const low = firstIdAt(filter.since ?? 0);
      const end = firstIdAt(filter.until ?? Number.POSITIVE_INFINITY);
      let high = after !== undefined && after < end ? after : end;
      let border: string | undefined;
      const found: Selectable<AuditTable>[] = [];
      for (let rest = comparedRows; rest > 0 && found.length <= limit; rest -= comparedAtOnce[engine]) {
        if (border !== undefined) {
          high = border;
          await setImmediate();
        }
        const candidatesFrom = (start: string) => rowsBetween(start, high, 'desc').where(indexed);
        border = compared === all ? undefined : await idAt(comparedAtOnce[engine] - 1, candidatesFrom(low));
        const rows = candidatesFrom(border ?? low).where(compared);
        const wanted = limit + 1 - found.length;
        found.push(...(await rows.selectAll().limit(wanted).execute()));
        if (border === undefined) break;
      }
      const shown = found.slice(0, limit);
      const events = shown.map((row) => fromRow(row, described)).filter((event) => matchesFilter(event, filter));
      return { events, next: found.length > limit ? shown.at(-1)?.id : border };
    },

    async findByRequestId(requestId: string): Promise<(RecordedEvent | UnreadableEvent)[]> {
      return (await findRows(requestId)).map((row) => fromRow(row, described));
    },

    /** Removes at most `limit` events from before `time` (milliseconds since 1970), oldest first. Returns how many it removed. */
    async removeBefore(time: number, limit: number): Promise<number> {
      const end = (await idAt(limit, rowsBetween(firstIdAt(0), firstIdAt(time), 'asc'))) ?? firstIdAt(time);
      return countDeleted(database.deleteFrom('janua_audit').where('id', '<', end));
    },
  };
}

const all = sql<boolean>`1 = 1`;

/**
 * Splits a filter into the condition that an index finds, and the conditions for the rows that it found. The database may ignore case and
 * trailing spaces, so `matchesFilter` compares again. Only one column is named, so that the database can choose no other index.
 */
function conditionsOf({ requestId, userId, nameDigest, kind, address }: EventFilter) {
  const ofUser = [...hasField('userId', userId), ...hasField('nameDigest', nameDigest)];
  const filters = [
    [hasValue('request_id', requestId), hasField('requestId', requestId)],
    // No index contains the digest, so with a digest the index of users would miss rows.
    [
      nameDigest === undefined ? hasValue('user_id', userId) : [],
      ofUser.length === 0 ? [] : [sql<boolean>`(${sql.join(ofUser, sql` or `)})`],
    ],
    [hasValue('kind', kind), hasField('kind', kind)],
    [[], hasField('address', address)],
  ] as const;
  const first = filters.findIndex(([column]) => column.length > 0);
  const rest = filters.flatMap(([, field], index) => (index === first ? [] : field));
  return {
    indexed: filters[first]?.[0][0] ?? all,
    compared: rest.length === 0 ? all : sql<boolean>`(${sql.join(rest, sql` and `)})`,
  };
}

const hasValue = (column: keyof AuditTable, value: string | undefined): RawBuilder<boolean>[] =>
  value === undefined ? [] : [sql<boolean>`${sql.ref(column)} = ${value}`];

/** JSON escapes the quotes in a text, so no text can look like a field. */
function hasField(name: string, value: string | undefined): RawBuilder<boolean>[] {
  if (value === undefined) return [];
  const pattern = `%${`"${name}":${toAscii(value)}`.replaceAll(/[!%_]/g, '!$&')}%`;
  return [sql<boolean>`event like ${pattern} escape '!'`];
}

function matchesFilter(event: RecordedEvent | UnreadableEvent, filter: EventFilter): boolean {
  if ('unreadable' in event) return true;
  const { userId, nameDigest, kind = event.kind, address, requestId } = filter;
  const { caller } = event;
  const ofAnyUser = userId === undefined && nameDigest === undefined;
  const ofUser =
    (userId !== undefined && event.userId === userId) || (nameDigest !== undefined && event.nameDigest === nameDigest);
  return (
    (ofAnyUser || ofUser) &&
    event.kind === kind &&
    (address === undefined || caller.address === address) &&
    (requestId === undefined || caller.requestId === requestId)
  );
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
