import type { Services } from '../compose.ts';
import { canonicalUsername } from '../core/users/user.ts';
import type { UserDirectory } from '../core/users/user-directory.ts';

/** Finds the id of the user with a name, and the digest that stands for a name without a user. */
export async function identify(username: string, { users, audit }: Services) {
  const name = canonicalUsername(username);
  return { userId: (await users.findByUsername(name))?.user.id, nameDigest: audit.digestName(name) };
}

export function createFindOnce(users: UserDirectory): UserDirectory['findById'] {
  const found = new Map<string, ReturnType<UserDirectory['findById']>>();
  return (userId) => found.getOrInsertComputed(userId, () => users.findById(userId));
}
