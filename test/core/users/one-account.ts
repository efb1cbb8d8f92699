import type { Account } from '../../../src/core/users/account.ts';
import type { UserDirectory } from '../../../src/core/users/user-directory.ts';

/** A directory of one account, which a test changes as it likes. It stores nothing. */
export const directoryOf = (read: () => Account | undefined): UserDirectory => ({
  findByUsername: async () => read(),
  findById: async () => read(),
  findAll: async () => new Map(),
  replacePasswordHash: async () => {},
  lock: async () => read(),
  findSince: async () => 0,
  renewStamp: async () => {},
  async *list() {},
  async check() {},
});
