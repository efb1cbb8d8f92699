import { createHold, type Held, type HoldOptions } from '../../../src/core/users/held.ts';
import type { User } from '../../../src/core/users/user.ts';
import type { UserDirectory, UserRegistry } from '../../../src/core/users/user-directory.ts';
import type { Database } from '../../../src/ground/database/database.ts';

/** Holds any account of a directory, for tests of parts that want a `Held`. */
export const holdIn =
  (database: Database, users: UserDirectory, registry?: UserRegistry) =>
  <Result>(userId: string, work: (held: Held) => Promise<Result>, options?: HoldOptions): Promise<Result> =>
    createHold(database, users, registry).holdAny(userId, work, options);

/** For tests of what is stored for an account, which need no account. Nothing is locked. */
export const unlocked = (db: Database, user: Pick<User, 'id'>): Held => ({ db, user }) as Held;
