import { setImmediate } from 'node:timers/promises';
import { firstIdAt } from '../../core/audit/event-id.ts';
import type { AuditStore } from '../../core/audit/sql-store.ts';
import type { Core } from '../../core/core.ts';
import type { Database } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import { shareAnswer } from '../../ground/database/share-answer.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import { asServer } from '../../ground/faults/requester.ts';

/** In milliseconds. */
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Milliseconds that an event may take to be stored. An event that takes longer is not counted. */
const latest = minute;

/** Milliseconds after which counts are brought up to date before they are shown. The regular clean-up usually does this earlier. */
const outdated = 20 * minute;

/** Milliseconds for which requests share an answer, because it is made from 4,000 counts. */
const lifetime = 1000;

/** Number of bars of a chart, and the milliseconds that each covers. Days begin at midnight, UTC. */
export const ranges = { '24h': [24, hour], '7d': [7, day], '30d': [30, day] } as const;

export type Range = keyof typeof ranges;

/** The events that each chart counts. */
const kinds = {
  sign_ins: ['login-succeeded'],
  failures: ['login-failed', 'second-factor-failed', 'passkey-refused', 'confirm-failed'],
  throttled: ['login-throttled', 'second-factor-throttled', 'confirm-throttled'],
  new_accounts: ['signed-up', 'user-added', 'users-imported'],
  mails: ['mail-sent'],
} as const;

const series = [...(Object.keys(kinds) as (keyof typeof kinds)[]), 'sessions'] as const;

const seriesOf = new Map<string, string>(
  Object.entries(kinds).flatMap(([name, list]) => list.map((kind) => [kind, name] as const)),
);

/** Kinds of events of which one stands for several. Its `count` says how many. */
const summed = ['users-imported', 'events-left-out'];

/** Id of a row in `janua_counts` that holds a time in the column `count`: all earlier events have been counted. */
const position = 'position';

export interface OverviewOptions extends Pick<Core, 'checkUp'> {
  readonly database: Database;
  readonly auditTrail: Pick<AuditStore, 'find'>;
  readonly countSessions: (time: number) => Promise<number>;
  /** Name of each store with its check, which throws while the store cannot be used. */
  readonly stores: readonly (readonly [name: string, check: () => Promise<void>])[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const startOf = (length: number, time: number) => Math.floor(time / length) * length;

/**
 * Counts events by the hour. Counting a million events would hold up every other request, so `count` adds the latest events to the small
 * table `janua_counts` from time to time (`clean` of the capability). A page counts only the events since then.
 */
export function createOverview({ database, auditTrail, countSessions, stores, checkUp, now }: OverviewOptions) {
  async function countEvents(from: number, to: number): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    const add = (kind: string | undefined, count: number) => {
      const name = seriesOf.get(kind ?? '');
      if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + count);
    };
    const found = await database
      .selectFrom('janua_audit')
      .select(['kind', ({ fn }) => fn.countAll().as('count')])
      .where('id', '>=', firstIdAt(from))
      .where('id', '<', firstIdAt(to))
      .where('kind', 'in', [...seriesOf.keys(), ...summed])
      .groupBy('kind')
      .execute();
    for (const { kind, count } of found) {
      if (!summed.includes(kind)) add(kind, Number(count));
      else
        for await (const event of auditTrail.find({ order: 'oldest-first', since: from, until: to, kind }))
          if ('kind' in event) add(kind === 'events-left-out' ? event.reason : kind, event.count ?? 0);
    }
    return counts;
  }

  async function readPosition(): Promise<number | undefined> {
    const row = database.selectFrom('janua_counts').select('count').where('id', '=', position);
    const found = await row.executeTakeFirst();
    return found && Number(found.count);
  }

  /** Stores the first position: the time of the oldest event that a chart shows. */
  async function begin(until: number): Promise<number> {
    const first = startOf(day, until) - 30 * day;
    const events = database.selectFrom('janua_audit').select('at').where('id', '>=', firstIdAt(first));
    const oldest = await events.orderBy('id').limit(1).executeTakeFirst();
    const count = Math.min(Number(oldest?.at ?? until), until);
    await insertNew(database.insertInto('janua_counts').values({ id: position, hour: 0, name: '', count }));
    return count;
  }

  /** Stores a changed count, or adds it. */
  async function store(db: Database, time: number, name: string, change: (former: number) => number): Promise<void> {
    const id = `${startOf(hour, time)} ${name}`;
    const row = await db.selectFrom('janua_counts').select('count').where('id', '=', id).executeTakeFirst();
    const count = change(Number(row?.count ?? 0));
    if (row === undefined)
      await insertNew(db.insertInto('janua_counts').values({ id, hour: startOf(hour, time), name, count }));
    else await db.updateTable('janua_counts').set({ count }).where('id', '=', id).execute();
  }

  /** Counts the events until a time within the same hour. @param until not later than the end of the hour */
  async function advance(from: number, until: number): Promise<void> {
    const counts = await countEvents(from, until);
    await inTransaction(database, async (db) => {
      const row = db.updateTable('janua_counts').set({ count: until }).where('id', '=', position);
      const { numUpdatedRows } = await row.where('count', '=', from).executeTakeFirst();
      // If the position has changed, another process has counted these events.
      if (numUpdatedRows > 0n)
        for (const [name, count] of counts) await store(db, from, name, (former) => former + count);
    });
  }

  let counting: Promise<void> | undefined;

  /** Updates the counts, and removes those that no chart shows. */
  function count(): Promise<void> {
    counting ??= asServer(countAll).finally(() => {
      counting = undefined;
    });
    return counting;
  }

  async function countAll(): Promise<void> {
    const until = now() - latest;
    let from = (await readPosition()) ?? (await begin(until));
    while (from < until) {
      const end = Math.min(until, startOf(hour, from) + hour);
      await advance(from, end);
      from = end;
      await setImmediate();
    }
    const sessions = await countSessions(now());
    await store(database, now(), 'sessions', () => sessions);
    const old = database.deleteFrom('janua_counts').where('hour', '<', now() - 31 * day);
    await old.where('id', '!=', position).execute();
  }

  /** Reads the counts of each series by the start of the hour. */
  async function readHours(): Promise<Map<string, Map<number, number>>> {
    let from = (await readPosition()) ?? 0;
    if (from < now() - outdated) {
      await count();
      from = (await readPosition()) ?? now();
    }
    const hours = new Map(series.map((name) => [name as string, new Map<number, number>()]));
    const add = (name: string, start: number, count: number) => {
      const counts = hours.get(name);
      counts?.set(start, (counts.get(start) ?? 0) + count);
    };
    const rows = database.selectFrom('janua_counts').select(['hour', 'name', 'count']);
    for (const row of await rows.where('id', '!=', position).execute())
      add(row.name, Number(row.hour), Number(row.count));
    while (from <= now()) {
      const start = startOf(hour, from);
      for (const [name, count] of await countEvents(from, start + hour)) add(name, start, count);
      from = start + hour;
    }
    return hours;
  }

  function drawPoints(name: string, hours: ReadonlyMap<number, number>, range: Range) {
    const [bars, length] = ranges[range];
    const first = startOf(length, now()) - (bars - 1) * length;
    const counts = Array.from({ length: bars }, () => 0);
    for (const [start, count] of hours) {
      const bar = Math.floor((start - first) / length);
      const former = counts[bar];
      if (former !== undefined) counts[bar] = name === 'sessions' ? Math.max(former, count) : former + count;
    }
    return counts.map((count, bar) => ({ from: new Date(first + bar * length).toISOString(), count }));
  }

  /** Sums the counts. The total of sessions is the latest count. */
  function totalOf(name: string, hours: ReadonlyMap<number, number>, range: Range): number {
    if (name === 'sessions') return hours.get(Math.max(...hours.keys())) ?? 0;
    return drawPoints(name, hours, range).reduce((sum, { count }) => sum + count, 0);
  }

  async function measure([name, check]: OverviewOptions['stores'][number]) {
    const start = performance.now();
    const available = await check().then(
      () => true,
      () => false,
    );
    return { name, available, milliseconds: Math.round((performance.now() - start) * 10) / 10 };
  }

  async function read(range: Range) {
    const hours = await readHours();
    return {
      range,
      series: series.map((name) => {
        const counts = hours.get(name) ?? new Map<number, number>();
        const names = Object.keys(ranges) as Range[];
        const totals = Object.fromEntries(names.map((one) => [one, totalOf(name, counts, one)]));
        return { name, totals: totals as Record<Range, number>, points: drawPoints(name, counts, range) };
      }),
      stores: await Promise.all(stores.map(measure)),
      findings: await checkUp(),
    };
  }

  const shared = (range: Range) => shareAnswer(() => read(range), lifetime, now);
  const answers = { '24h': shared('24h'), '7d': shared('7d'), '30d': shared('30d') } satisfies Record<Range, unknown>;

  return {
    count,
    read: (range: Range) => answers[range].get(),
  };
}
