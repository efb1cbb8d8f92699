import { hash } from 'node:crypto';
import { ChangeRefused, Unreadable } from './change-refused.ts';
import { type ImportedUser, keysOf } from './imported-user.ts';

/** Rows that one transaction adds at most, unless one user has more. SQLite holds up all other requests during a transaction. */
const batchRows = 500;

/** A user has a row of `janua_users`, up to four words to be found by, perhaps other details, and a membership of each group. */
const rowsOf = ({ groups, subject, totp, identities = [] }: ImportedUser) =>
  6 + groups.length + identities.length + [subject, totp].filter((detail) => detail !== undefined).length;

/** A user of a file, before it is read. */
export interface NumberedUser {
  /** The number of the line, from 1. */
  readonly line: number;
  /** @throws {ChangeRefused} if the user cannot be imported */
  read(): ImportedUser;
}

export type RefuseUser = (user: ImportedUser, reason: ChangeRefused) => void;

export interface ImportOptions {
  /** Returns how many of the users were new. @param refuse is called for each user who cannot be added */
  readonly addUsers: (users: readonly ImportedUser[], refuse: RefuseUser) => Promise<number>;
  /** Called for each user who is refused. */
  refuse(line: number, reason: ChangeRefused): void;
  /** Called after each batch. */
  onBatch?(rows: number): void;
  /** Returns whether to end after this row. */
  isStopped?(): boolean;
  /** Names a line, for files that have several. Default: its number. */
  placeOf?(line: number): string | number;
}

/** The counts of an import so far. */
export interface ImportCounts {
  rows: number;
  added: number;
  refused: number;
}

export const noRows = (): ImportCounts => ({ rows: 0, added: 0, refused: 0 });

/** Takes less memory than a name does, of which a file may have millions. */
const digestOf = (key: string) => hash('sha256', key, 'latin1');

/**
 * Returns a function that reads users, and refuses one who is in the file twice. It keeps the names of all users, because a rehearsal stores
 * no user with whom a later one could be compared.
 */
function createReadUser(placeOf: (line: number) => string | number) {
  const lines = new Map<string, number>();
  return ({ line, read }: NumberedUser): ImportedUser => {
    const user = read();
    const keys = [...keysOf(user)].map(([key, what]) => ({ digest: digestOf(key), what }));
    for (const { digest, what } of keys) {
      const first = lines.get(digest);
      if (first === undefined) continue;
      const place = placeOf(first);
      if (what === 'user') throw new Unreadable('The user is in line {line} too.', { line: place });
      if (what === 'handle') throw new Unreadable('The handle is in line {line} too.', { line: place });
      throw new ChangeRefused(`The ${what} is in line ${place} too.`);
    }
    for (const { digest } of keys) lines.set(digest, line);
    return user;
  };
}

/** Adds users in batches. Users who exist already stay as they are. @param counts updated meanwhile, so that they are right after an error */
export async function importUsers(
  users: AsyncIterable<NumberedUser>,
  options: ImportOptions,
  counts: ImportCounts,
): Promise<void> {
  const { addUsers, refuse, onBatch, isStopped, placeOf = (line) => line } = options;
  const readUser = createReadUser(placeOf);
  let batch: { readonly user: ImportedUser; readonly line: number }[] = [];
  let size = 0;

  function refuseRow(line: number, reason: ChangeRefused): void {
    counts.refused += 1;
    refuse(line, reason);
  }

  function tryToRead(row: NumberedUser): ImportedUser | undefined {
    try {
      return readUser(row);
    } catch (error) {
      if (!(error instanceof ChangeRefused)) throw error;
      refuseRow(row.line, error);
      return undefined;
    }
  }

  async function addBatch(): Promise<void> {
    const lines = new Map(batch.map(({ user, line }) => [user, line]));
    const refuseUser: RefuseUser = (user, reason) => refuseRow(lines.get(user) ?? 0, reason);
    if (batch.length > 0) counts.added += await addUsers([...lines.keys()], refuseUser);
    batch = [];
    size = 0;
    onBatch?.(counts.rows);
  }

  for await (const row of users) {
    counts.rows += 1;
    const user = tryToRead(row);
    if (user !== undefined) {
      const more = rowsOf(user);
      if (size + more > batchRows) await addBatch();
      batch.push({ user, line: row.line });
      size += more;
    }
    if (isStopped?.()) break;
  }
  await addBatch();
}
