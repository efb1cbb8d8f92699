import { setImmediate } from 'node:timers/promises';
import type { Selectable } from 'kysely';
import type { Database, OpenDatabase } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { sql } from '../../ground/database/kysely.ts';
import type { FailuresTable } from '../../ground/database/schema.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import { createTurns } from '../../ground/faults/turns.ts';
import { expiryOf, type Policy, type Tally } from './backoff.ts';
import { countFound, type FailureRecord, type FailureStore, isInRange, type PolicedKey } from './store.ts';

const listingBatch = 500;

/** Sorts after all characters that may follow the start of a key. */
const lastCharacter = '~';

export function createSqlFailureStore({ database, engine }: Pick<OpenDatabase, 'database' | 'engine'>): FailureStore {
  const incoming = (column: keyof FailuresTable) =>
    engine === 'mysql' ? sql<never>`values(${sql.ref(column)})` : sql<never>`excluded.${sql.ref(column)}`;

  const searchSteps = createTurns({
    part: 'The throttle',
    atOnce: 1,
    waiting: Number.POSITIVE_INFINITY,
    rests: true,
  });

  /** Changes no value, but the update locks the row. */
  const unchanged = { count: sql<never>`${sql.ref('janua_failures.count')}` };
  const replaced = { count: incoming('count'), last_at: incoming('last_at'), expires_at: incoming('expires_at') };

  function upsert(db: Database, rows: readonly FailuresTable[], changes: Partial<typeof replaced>) {
    const insert = db.insertInto('janua_failures').values(rows);
    return (
      engine === 'mysql'
        ? insert.onDuplicateKeyUpdate(changes)
        : insert.onConflict((conflict) => conflict.column('key').doUpdateSet(changes))
    ).execute();
  }

  /**
   * Changes several keys in one transaction. Rows are locked in key order, which avoids deadlocks. The lock is an upsert that changes
   * nothing, because a missing row cannot be locked.
   * @param decide returns the new tallies. A key without a tally is forgotten
   */
  async function change(
    keys: readonly PolicedKey[],
    decide: (found: readonly FailureRecord[]) => ReadonlyMap<string, Tally>,
  ): Promise<void> {
    const sorted = keys.toSorted((one, other) => (one.key < other.key ? -1 : 1));
    const taken = sorted.map(({ key }) => ({ key, count: 0, last_at: 0, expires_at: 0 }));
    await inTransaction(database, async (transaction) => {
      await upsert(transaction, taken, unchanged);
      const tallies = decide(await select(transaction, sorted));
      const kept = sorted.flatMap(({ key, policy }) => toRows(key, policy, tallies.get(key)));
      if (kept.length > 0) await upsert(transaction, kept, replaced);
      const forgotten = sorted.map(({ key }) => key).filter((key) => !tallies.has(key));
      if (forgotten.length > 0) await transaction.deleteFrom('janua_failures').where('key', 'in', forgotten).execute();
    });
  }

  return {
    async count(keys, now) {
      // This read takes no locks, and it refuses most attempts that have to wait.
      let counting = countFound(keys, await select(database, keys), now);
      if (!counting.counted) return counting;
      await change(keys, (found) => {
        counting = countFound(keys, found, now);
        if (!counting.counted) return new Map(found.map((record) => [record.key, record]));
        return new Map(counting.keys.map(({ key, after }) => [key, after]));
      });
      return counting;
    },

    async revise(revisions) {
      const there = new Set((await select(database, revisions)).map(({ key }) => key));
      const meant = new Map(revisions.filter(({ key }) => there.has(key)).map((revision) => [revision.key, revision]));
      if (meant.size === 0) return;
      await change([...meant.values()], (found) => {
        const tallies = new Map<string, Tally>();
        for (const record of found) {
          const tally = meant.get(record.key)?.revise(record);
          if (tally !== undefined) tallies.set(record.key, tally);
        }
        return tallies;
      });
    },

    async forget(keys) {
      let count = 0;
      for (let from = 0; from < keys.length; from += listingBatch) {
        const batch = keys.slice(from, from + listingBatch);
        count += await countDeleted(database.deleteFrom('janua_failures').where('key', 'in', batch));
      }
      return count;
    },

    async listPage(from = '') {
      const all = database.selectFrom('janua_failures').selectAll().orderBy('key').limit(listingBatch);
      const rows = await all.where('key', '>', from).execute();
      return { records: rows.map(fromRow), next: rows.length < listingBatch ? undefined : rows.at(-1)?.key };
    },

    async find(ranges) {
      const found: string[] = [];
      // Each range has a query of its own, because a database may scan the whole table for a query with several ranges.
      for (const range of ranges) {
        const end = `${range.start}${lastCharacter}`;
        const read = (from: string, bound: '>' | '>=' = '>') => {
          const keys = database.selectFrom('janua_failures').select('key').where('count', '>', 0).orderBy('key');
          return keys.where('key', bound, from).where('key', '<', end).limit(listingBatch).execute();
        };
        let rows = await read(range.start, '>=');
        for (;;) {
          for (const { key } of rows) if (isInRange(key, range)) found.push(key);
          const last = rows.length < listingBatch ? undefined : rows.at(-1)?.key;
          if (last === undefined) break;
          // Only further reads take turns with other searches. The keys of a user fit into the first read.
          rows = await searchSteps.take({ places: [], parties: [] }, async () => {
            // Reads of SQLite are synchronous, so other requests could not run between them.
            await setImmediate();
            return read(last);
          });
        }
      }
      return found;
    },
  };
}

/** Reads the records of keys. Rows without failures are skipped: they exist only as locks. */
async function select(db: Database, keys: readonly PolicedKey[]): Promise<FailureRecord[]> {
  if (keys.length === 0) return [];
  const names = keys.map(({ key }) => key);
  const rows = await db
    .selectFrom('janua_failures')
    .selectAll()
    .where('key', 'in', names)
    .where('count', '>', 0)
    .execute();
  return rows.map(fromRow);
}

function toRows(key: string, policy: Policy, tally: Tally | undefined): FailuresTable[] {
  if (tally === undefined) return [];
  return [{ key, count: tally.count, last_at: tally.lastAt, expires_at: expiryOf(policy, tally) ?? null }];
}

function fromRow(row: Selectable<FailuresTable>): FailureRecord {
  const { key, count, last_at, expires_at } = row;
  return { key, count, lastAt: Number(last_at), expiresAt: expires_at === null ? undefined : Number(expires_at) };
}
