import { hash } from '@node-rs/bcrypt';
import type { Administration } from '../src/core/changes/administration.ts';
import type { UserDetails } from '../src/core/changes/new-users.ts';
import type { Settings } from '../src/ground/config/settings.ts';
import { sql } from '../src/ground/database/kysely.ts';
import { openTestDatabase } from './ground/database/open.ts';
import type { StoreChoice } from './stores.ts';

/** Manages the users: Janua's own commands, or the program of the team that owns the table. */
export interface People {
  add(person: UserDetails): Promise<void>;
  setPassword(username: string, password: string): Promise<void>;
  disable(username: string): Promise<void>;
  enable(username: string): Promise<void>;
  remove(username: string): Promise<void>;
}

export const peopleBy = (administration: Administration): People => ({
  ...administration,
  async add(person) {
    await administration.add(person);
  },
});

/** A team's program, which knows nothing of Janua. */
export interface TeamProgram extends AsyncDisposable {
  readonly people: People;
  /** The settings that name the table to Janua. */
  readonly settings: Partial<Settings>;
}

/** bcrypt, as in many applications, with the lowest cost to keep tests fast. */
const hashOf = (password: string) => hash(password, 4);

export async function createTeamProgram(url: string, { users }: StoreChoice): Promise<TeamProgram> {
  const opened = await openTestDatabase(url);
  const { database } = opened;
  const id = {
    SQLite: 'integer primary key',
    PostgreSQL: 'serial primary key',
    MariaDB: 'int auto_increment primary key',
  };
  const collation = { SQLite: ' collate nocase', PostgreSQL: '', MariaDB: '' };
  await sql
    .raw(
      `create table people (no ${id[users]}, email varchar(254)${collation[users]} unique, secret varchar(255), ` +
        'first varchar(100), last varchar(100), gone boolean)',
    )
    .execute(database);
  if (users === 'PostgreSQL') await sql.raw('create unique index on people (lower(email))').execute(database);

  return {
    settings: {
      USERS_TABLE: 'people',
      USERS_COLUMNS: 'id=no,username=email,password=secret,first_name=first,last_name=last,disabled=gone',
    },
    people: {
      async add({ username, password, firstName, lastName }) {
        const secret = await hashOf(password);
        await sql`insert into people (email, secret, first, last)
          values (${username}, ${secret}, ${firstName}, ${lastName})`.execute(database);
      },
      async setPassword(username, password) {
        await sql`update people set secret = ${await hashOf(password)} where email = ${username}`.execute(database);
      },
      async disable(username) {
        await sql`update people set gone = true where email = ${username}`.execute(database);
      },
      async enable(username) {
        await sql`update people set gone = false where email = ${username}`.execute(database);
      },
      async remove(username) {
        await sql`delete from people where email = ${username}`.execute(database);
      },
    },
    [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
  };
}
