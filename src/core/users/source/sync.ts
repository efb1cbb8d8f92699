import { setImmediate } from 'node:timers/promises';
import { insertNew } from '../../../ground/database/insert-new.ts';
import { inTransaction } from '../../../ground/database/transaction.ts';
import { passwordPrintOf } from '../account.ts';
import { countChange } from '../directory.ts';
import { indexWords } from '../search.ts';
import { type AdoptionOptions, addPeople, adopt, copyOf, detach, noteFirstPassword } from './adoption.ts';
import type { Person } from './source.ts';

export interface Synced {
  /** The number of people who got an account. */
  readonly added: number;
  /** The number of accounts whose row has another name, state or password. */
  readonly changed: number;
  /** The number of accounts that have ended, because their users have left the table, or have another name now. */
  readonly left: number;
  /** Set if too many accounts would have ended: their number. None of them has ended. */
  readonly tooMany?: number;
  /** Whether the sync was stopped before its end. */
  readonly isCutOff?: true;
}

type Counts = Pick<Synced, 'added' | 'changed'>;

interface KnownAccount {
  readonly id: string;
  readonly key: string;
}

/** The changes of a team's row that end sessions, tokens or links of its account. */
export type SeenChange = 'password-changed-elsewhere' | 'user-disabled-elsewhere' | 'user-renamed-elsewhere';

interface SyncOptions extends AdoptionOptions {
  /** Stores the change, and ends the sessions, tokens or links that its rule lists (`core/changes/change-rules.ts`). */
  readonly end: (userId: string, change: SeenChange) => Promise<void>;
}

export interface SyncRun {
  /** Whether to end accounts even if many users have left. */
  readonly force?: boolean;
  /** Called between two steps. If it returns false, the sync stops. */
  readonly mayGoOn?: () => boolean;
}

/** Rows that one step reads. SQLite works in the thread of the server, so each step is short, and other requests have a turn after it. */
const rowsAtOnce = 50;

/**
 * One run may end this share of the accounts, or this number if it is higher, but none if the table is empty. A table that was truncated by
 * mistake would otherwise cost all users their second factors.
 */
const mostLeaving = 0.05;
const fewLeaving = 3;

/**
 * Stores the digest of the present password for each account of version 0.2, which stored none. Without the digest, Janua would not notice
 * the next password that the team sets, and personal access tokens would outlive it. If the row is missing or unusable, Janua cannot know
 * the password, and deletes the tokens. Runs before the server takes a token, and at the start of a sync.
 */
export async function noteFormerPasswords({
  database,
  source,
}: Pick<AdoptionOptions, 'database' | 'source'>): Promise<void> {
  const without = database
    .selectFrom('janua_users')
    .select(['id', 'source_key'])
    .where('password_print', 'is', null)
    .where('source_key', 'is not', null)
    .orderBy('id');
  for (let after = ''; ; ) {
    const rows = await without.where('id', '>', after).limit(rowsAtOnce).execute();
    const people = await source.findAll(rows.flatMap(({ source_key: key }) => key ?? []));
    await inTransaction(database, async (db) => {
      for (const { id, source_key: key } of rows) {
        const person = people.get(key ?? '');
        if (person !== undefined) await noteFirstPassword(db, id, person);
        else await db.deleteFrom('janua_access_tokens').where('user_id', '=', id).execute();
      }
    });
    await setImmediate();
    if (rows.length < rowsAtOnce) return;
    after = rows.at(-1)?.id ?? '';
  }
}

/**
 * Brings the accounts in line with a team's own table: adds people who have never signed in, notes new names and states, and ends the
 * accounts of those who have left.
 */
export function createSync({ end, ...options }: SyncOptions) {
  const { database, source, now } = options;
  const { hasPermanentIds } = source;
  const accounts = database
    .selectFrom('janua_users')
    .select(['id', 'source_key', 'username', 'first_name', 'last_name', 'disabled', 'password_print']);

  /** Adds accounts for people. Logins may add some of these accounts meanwhile. */
  async function addAll(people: readonly Person[]): Promise<void> {
    if (people.length === 0) return;
    const execute = () => inTransaction(database, (db) => addPeople(people, db, now()));
    if (!(await insertNew({ execute }))) for (const person of people) await adopt(person, options);
  }

  /**
   * Stores a new name or state. Reads the row again after locking the account, because the row may have changed meanwhile. Never stores
   * that a user is disabled: `end` does, together with the end of the sessions. Otherwise the next sync would find no change after a
   * failure, and the sessions would go on.
   */
  const copy = (id: string, person: Person) =>
    inTransaction(database, async (db) => {
      await db.updateTable('janua_users').set(countChange).where('id', '=', id).execute();
      const present = (await source.findAll([person.key], db)).get(person.key);
      if (present === undefined || present.username !== person.username) return;
      const { disabled, ...names } = copyOf(present);
      const state = disabled === 0 ? { disabled } : {};
      await db
        .updateTable('janua_users')
        .set({ ...names, ...state })
        .where('id', '=', id)
        .execute();
      await indexWords(id, present, db);
    });

  /** @param ending called for each account whose row has another name, unless ids are permanent */
  async function syncPage(
    people: readonly Person[],
    ending: (account: KnownAccount) => Promise<void>,
  ): Promise<Counts> {
    if (people.length === 0) return { added: 0, changed: 0 };
    const keys = people.map(({ key }) => key);
    const rows = await accounts.where('source_key', 'in', keys).execute();
    const known = new Map(rows.map((row) => [row.source_key, row]));
    await addAll(people.filter(({ key }) => !known.has(key)));
    let changed = 0;
    for (const person of people) {
      const row = known.get(person.key);
      if (row === undefined) continue;
      const hasNewName = row.username !== person.username;
      if (hasNewName && !hasPermanentIds) {
        await ending({ id: row.id, key: person.key });
        continue;
      }
      if (hasNewName) await end(row.id, 'user-renamed-elsewhere');
      const copied = copyOf(person);
      // Done before the copy, so that a crash in between does not lose the change.
      if (copied.disabled > row.disabled) await end(row.id, 'user-disabled-elsewhere');
      const hasName = row.first_name === copied.first_name && row.last_name === copied.last_name;
      const isOther = !hasName || row.disabled !== copied.disabled;
      if (isOther) await copy(row.id, person);
      const print = passwordPrintOf(person.passwordHash);
      const hasNewPassword = row.password_print !== null && row.password_print !== print;
      if (hasNewPassword) await end(row.id, 'password-changed-elsewhere');
      else if (row.password_print === null) await noteFirstPassword(database, row.id, person);
      if (hasNewName || isOther || hasNewPassword) changed += 1;
    }
    return { added: people.length - known.size, changed };
  }

  /** Calls `ending` for each account whose row is gone. */
  async function findLeavers(ending: (account: KnownAccount) => Promise<void>, mayGoOn: () => boolean): Promise<void> {
    const attached = database.selectFrom('janua_users').select(['id', 'source_key']);
    let after: string | null = null;
    while (mayGoOn()) {
      // No `source_key > ''` on the first page: in MariaDB, a key that begins with a control character sorts before the empty text.
      const page: typeof attached =
        after === null ? attached.where('source_key', 'is not', null) : attached.where('source_key', '>', after);
      const rows = await page.orderBy('source_key').limit(rowsAtOnce).execute();
      await setImmediate();
      const there = await source.findKeys(rows.flatMap(({ source_key: key }) => key ?? []));
      for (const { id, source_key: key } of rows) {
        after = key;
        if (key !== null && !there.has(key)) await ending({ id, key });
      }
      if (rows.length < rowsAtOnce) return;
    }
  }

  /** Ends an account, unless the row is back with its name by now. */
  const endAccount = ({ id, key }: KnownAccount): Promise<boolean> =>
    inTransaction(database, async (db) => {
      const account = db.updateTable('janua_users').where('id', '=', id).where('source_key', '=', key);
      const { numUpdatedRows } = await account.set(countChange).executeTakeFirst();
      if (numUpdatedRows === 0n) return false;
      const row = db.selectFrom('janua_users').select(['id', 'username']).where('id', '=', id);
      const leaver = await row.executeTakeFirstOrThrow();
      const isThere = (await source.findKeys([key], db)).has(key);
      const present = (await source.findAll([key], db)).get(key);
      if (isThere && (present === undefined || hasPermanentIds || present.username === leaver.username)) return false;
      await detach(leaver, key, isThere ? 'renamed' : 'gone', db, options);
      return true;
    });

  /** Ends an account, and adds another one for the person who has the id now. */
  async function replace(account: KnownAccount): Promise<boolean> {
    if (!(await endAccount(account))) return false;
    const person = (await source.findAll([account.key])).get(account.key);
    if (person !== undefined) await adopt(person, options);
    return true;
  }

  /** Returns how many accounts a run may end: none if the table is empty. */
  async function findAllowance(): Promise<number> {
    if ((await source.count(1)) === 0) return 0;
    const all = database.selectFrom('janua_users').where('source_key', 'is not', null);
    const { count } = await all.select(({ fn }) => fn.countAll().as('count')).executeTakeFirstOrThrow();
    return Math.max(fewLeaving, Math.floor(Number(count) * mostLeaving));
  }

  return async ({ force = false, mayGoOn = () => true }: SyncRun = {}): Promise<Synced> => {
    await noteFormerPasswords(options);
    let [added, changed, left, leaving] = [0, 0, 0, 0];
    const allowance = await findAllowance();
    const waiting: KnownAccount[] = [];
    async function ending(account: KnownAccount): Promise<void> {
      leaving += 1;
      if (force && (await replace(account))) left += 1;
      if (!force && leaving <= allowance) waiting.push(account);
    }
    let after: string | undefined;
    do {
      await setImmediate();
      const { people, last } = await source.readPage(after, rowsAtOnce);
      const page = await syncPage(people, ending);
      added += page.added;
      changed += page.changed;
      after = last ?? undefined;
    } while (after !== undefined && mayGoOn());
    if (mayGoOn()) await findLeavers(ending, mayGoOn);
    if (!mayGoOn()) return { added, changed, left, isCutOff: true };
    // Counted again, because the team's program may be emptying and reloading the table.
    if (!force && leaving > Math.min(allowance, await findAllowance()))
      return { added, changed, left, tooMany: leaving };
    for (const account of waiting) {
      // After the lease is lost, another process may sync too. The two would end more accounts than one run may.
      if (!mayGoOn()) return { added, changed, left, isCutOff: true };
      if (await replace(account)) left += 1;
    }
    return { added, changed, left };
  };
}
