import type { Database } from '../../../ground/database/database.ts';
import { insertNew } from '../../../ground/database/insert-new.ts';
import { inTransaction } from '../../../ground/database/transaction.ts';
import { printOf } from '../account.ts';
import { indexWords } from '../search.ts';
import { addPeople, adopt, copyOf, detach } from './adoption.ts';
import type { Person, Source } from './source.ts';

export interface Synced {
  /** People who have an account now, and had none. */
  readonly added: number;
  /** Accounts whose names or state were other ones. */
  readonly changed: number;
  /** Accounts that have ended, because their users have left the table, or have another name now. */
  readonly left: number;
  /** The accounts that would have ended, if there were too many. They still are what they were. */
  readonly tooMany?: number;
}

/** A change of a row that ends something of its account. */
export type SeenChange = 'password-changed-elsewhere' | 'user-disabled-elsewhere' | 'user-renamed-elsewhere';

interface SyncOptions {
  readonly database: Database;
  readonly source: Source;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Ends what a change of a row ends. */
  readonly end: (userId: string, change: SeenChange) => Promise<void>;
}

export interface SyncRun {
  /** Whether to end the accounts of many users who have left. */
  readonly force?: boolean;
  /** Asked between two parts. */
  readonly mayGoOn?: () => boolean;
}

/** Rows that one step reads. Each step is short, so that other requests hardly wait. */
const rowsAtOnce = 500;

/** The share of the accounts that one run may end, and the number that it always may. A table that was cut off must not cost all users their factors. */
const mostLeaving = 0.05;
const fewLeaving = 3;

/**
 * Brings the accounts in line with a team's own table: adds people who have never signed in, notes new names and states, and ends the
 * accounts of those who have left.
 */
export function createSync({ database, source, now, end }: SyncOptions) {
  const { hasPermanentIds } = source;
  const accounts = database
    .selectFrom('janua_users')
    .select(['id', 'source_key', 'username', 'first_name', 'last_name', 'disabled', 'password_print']);

  /** Others may adopt some of them meanwhile. */
  async function addAll(people: readonly Person[]): Promise<void> {
    if (people.length === 0) return;
    const execute = () => inTransaction(database, (db) => addPeople(people, db, now()));
    if (!(await insertNew({ execute }))) for (const person of people) await adopt(person, database, source, now());
  }

  async function syncPage(people: readonly Person[]): Promise<Omit<Synced, 'tooMany'>> {
    if (people.length === 0) return { added: 0, changed: 0, left: 0 };
    const keys = people.map(({ key }) => key);
    const rows = await accounts.where('source_key', 'in', keys).execute();
    const known = new Map(rows.map((row) => [row.source_key, row]));
    await addAll(people.filter(({ key }) => !known.has(key)));
    let [changed, left] = [0, 0];
    for (const person of people) {
      const row = known.get(person.key);
      if (row === undefined) continue;
      if (row.username !== person.username && hasPermanentIds) await end(row.id, 'user-renamed-elsewhere');
      else if (row.username !== person.username) {
        if ((await adopt(person, database, source, now())) !== undefined) left += 1;
        continue;
      }
      const copy = copyOf(person);
      // Before the copy, so that a crash in between does not lose it.
      if (copy.disabled > row.disabled) await end(row.id, 'user-disabled-elsewhere');
      const isRenamed = row.first_name !== copy.first_name || row.last_name !== copy.last_name;
      if (isRenamed || row.disabled !== copy.disabled) {
        await database.updateTable('janua_users').set(copy).where('id', '=', row.id).execute();
        if (isRenamed) await indexWords(row.id, person, database);
        changed += 1;
      }
      const print = printOf(person.passwordHash);
      if (row.password_print === null)
        await database.updateTable('janua_users').set({ password_print: print }).where('id', '=', row.id).execute();
      else if (row.password_print !== print) await end(row.id, 'password-changed-elsewhere');
    }
    return { added: people.length - known.size, changed, left };
  }

  /** The keys of accounts whose rows are gone, part by part. */
  async function* findLeavers(): AsyncGenerator<string[]> {
    let after = '';
    for (;;) {
      const page = database.selectFrom('janua_users').select('source_key').where('source_key', '>', after);
      const rows = await page.orderBy('source_key').limit(rowsAtOnce).execute();
      const keys = rows.flatMap(({ source_key: key }) => key ?? []);
      const last = keys.at(-1);
      if (last === undefined) return;
      const there = await source.findKeys(keys);
      yield keys.filter((key) => !there.has(key));
      after = last;
    }
  }

  async function countLeavers(): Promise<{ leavers: number; isTooMany: boolean }> {
    let leavers = 0;
    for await (const keys of findLeavers()) leavers += keys.length;
    if (leavers === 0) return { leavers, isTooMany: false };
    const all = database.selectFrom('janua_users').where('source_key', 'is not', null);
    const { count } = await all.select(({ fn }) => fn.countAll().as('count')).executeTakeFirstOrThrow();
    const isEmpty = (await source.count(1)) === 0;
    return { leavers, isTooMany: isEmpty || leavers > Math.max(fewLeaving, Number(count) * mostLeaving) };
  }

  return async ({ force = false, mayGoOn = () => true }: SyncRun = {}): Promise<Synced> => {
    let [added, changed, left] = [0, 0, 0];
    let after: string | undefined;
    do {
      const { people, last } = await source.readPage(after, rowsAtOnce);
      const page = await syncPage(people);
      added += page.added;
      changed += page.changed;
      left += page.left;
      after = last ?? undefined;
    } while (after !== undefined && mayGoOn());
    if (!mayGoOn()) return { added, changed, left };
    const { leavers, isTooMany } = await countLeavers();
    if (isTooMany && !force) return { added, changed, left, tooMany: leavers };
    if (leavers > 0)
      for await (const keys of findLeavers())
        for (const key of keys) {
          await detach(key, database, now());
          left += 1;
        }
    return { added, changed, left };
  };
}
