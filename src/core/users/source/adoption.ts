import { randomUUID } from 'node:crypto';
import type { Database } from '../../../ground/database/database.ts';
import { insertAll, insertNew } from '../../../ground/database/insert-new.ts';
import type { NewRow } from '../../../ground/database/schema.ts';
import { inTransaction } from '../../../ground/database/transaction.ts';
import { createStamp, passwordPrintOf } from '../account.ts';
import { indexWords, searchRows } from '../search.ts';
import type { User } from '../user.ts';
import type { Person, Source } from './source.ts';

/** The reasons why an account ends: its row in the team's table is gone, or has another name now. */
export type LeavingReason = 'gone' | 'renamed';

type Leaver = Pick<User, 'id' | 'username'>;

/** Records in the transaction that an account ends. */
export type RecordLeft = (db: Database, leaver: Leaver, reason: LeavingReason) => Promise<void>;

export interface AdoptionOptions {
  readonly database: Database;
  readonly source: Source;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly recordLeft: RecordLeft;
}

/**
 * Detaches the account of a former person from an id in the team's table. The account is never attached again, and the regular clean-up
 * removes it.
 * @param leaver the account. If another account has the id by now, that one stays attached
 * @param key the id in the team's table
 */
export async function detach(
  leaver: Leaver,
  key: string,
  reason: LeavingReason,
  db: Database,
  { now, recordLeft }: Pick<AdoptionOptions, 'now' | 'recordLeft'>,
): Promise<void> {
  const account = db.updateTable('janua_users').where('id', '=', leaver.id).where('source_key', '=', key);
  const { numUpdatedRows } = await account.set({ source_key: null, left_at: now() }).executeTakeFirst();
  if (numUpdatedRows > 0n) await recordLeft(db, leaver, reason);
}

/** Adds accounts for people of a team's table whom Janua sees for the first time. Fails if one of them has an account by now. */
export async function addPeople(people: readonly Person[], db: Database, now: number): Promise<void> {
  const rows = people.map(
    (person): NewRow<'janua_users'> => ({
      id: randomUUID(),
      source_key: person.key,
      ...copyOf(person),
      password: '',
      created_at: now,
      stamp: createStamp(),
      address_proof: 'source',
      verified_address: '',
      password_print: passwordPrintOf(person.passwordHash),
    }),
  );
  await insertAll(db, 'janua_users', rows);
  await insertAll(
    db,
    'janua_search',
    people.flatMap((person, index) => searchRows(rows[index]?.id ?? '', person)),
  );
}

/** Returns the columns of `janua_users` that hold a copy of the team's row. Lists are sorted and filtered by these columns. */
export const copyOf = ({ username, firstName, lastName, disabled }: Person) => ({
  username,
  // The columns of a team may be longer than ours.
  first_name: [...firstName].slice(0, 100).join(''),
  last_name: [...lastName].slice(0, 100).join(''),
  disabled: disabled ? 1 : 0,
});

/** Stores the digest of the present password, unless the account has one. A login may have stored it meanwhile. */
export async function noteFirstPassword(
  db: Database,
  id: string,
  { passwordHash }: Pick<Person, 'passwordHash'>,
): Promise<void> {
  const account = db.updateTable('janua_users').where('id', '=', id).where('password_print', 'is', null);
  await account.set({ password_print: passwordPrintOf(passwordHash) }).execute();
}

const mostTries = 5;

/** Stores a new user name. Called only if ids are permanent. A sync stores new first and last names. */
export async function renameAccount(
  id: string,
  person: Pick<Person, 'username' | 'firstName' | 'lastName'>,
  db: Database,
) {
  const { username } = person;
  await db.updateTable('janua_users').set({ username }).where('id', '=', id).execute();
  await db.updateTable('janua_memberships').set({ username }).where('user_id', '=', id).execute();
  await indexWords(id, person, db);
}

/**
 * Gives a person of a team's table an account, unless they have one. A team may give an id to another person. Janua cannot tell that from a
 * new name, so it detaches the former account if the name differs, unless ids are permanent.
 * @returns the id of the account. Undefined if the person has another name by now, or has left the table
 */
export async function adopt(person: Person, options: AdoptionOptions): Promise<string | undefined> {
  const { database, source, now } = options;
  const { key, username } = person;
  for (let tries = 1; ; tries += 1) {
    const known = database.selectFrom('janua_users').select(['id', 'username']).where('source_key', '=', key);
    const [row] = await known.execute();
    if (row !== undefined && (source.hasPermanentIds || row.username === username)) return row.id;
    let isPresent = true;
    const execute = () =>
      inTransaction(database, async (db) => {
        // If the row has another name by now, the account that is attached to the id stays.
        isPresent = (await source.findAll([key], db)).get(key)?.username === username;
        if (!isPresent) return;
        if (row !== undefined) await detach(row, key, 'renamed', db, options);
        await addPeople([person], db, now());
      });
    const isAdopted = await insertNew({ execute });
    if (!isPresent) return undefined;
    if (!isAdopted && tries === mostTries) throw new Error('the account of a user could not be added');
  }
}
