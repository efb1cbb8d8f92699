import { type Account, candidateOf } from '../../../src/core/users/account.ts';
import type { UserDirectory } from '../../../src/core/users/user-directory.ts';

/** A directory of one account, which a test changes as it likes. It stores nothing. */
export const directoryOf = (read: () => Account | undefined) =>
  ({
    findCandidate: async () => {
      const account = read();
      return account && candidateOf(account);
    },
    findByUsername: async () => read(),
    adoptByUsername: async () => read(),
    findById: async () => read(),
    findAll: async () => new Map(),
    replacePasswordHash: async () => {},
    lock: async () => read(),
    renewStamp: async () => {},
    async *list() {},
    async check() {},
  }) as Partial<UserDirectory> as UserDirectory;
