import type { Database } from '../../ground/database/database.ts';
import { type Account, rightsOfAccount } from './account.ts';
import { covers, type Rights } from './scopes.ts';

/** Stored in place of the id of an administrator, for what an operator has made. */
export const operator = '';

/** Reads an account, in a transaction if one is given. */
export type FindAccount = (id: string, db?: Database) => Promise<Account | undefined>;

/**
 * Returns a function that tells whether the administrator who once asked for an invitation could give these rights now. An invitation lasts
 * longer than the request for it, so its maker may have lost rights since.
 */
export const createMayGive =
  (findAccount: FindAccount) =>
  async (makerId: string, rights: Rights, db?: Database): Promise<boolean> => {
    if (makerId === operator) return true;
    const maker = await findAccount(makerId, db);
    if (maker === undefined || maker.disabled || !maker.scopes.includes('users:write')) return false;
    return covers(rightsOfAccount(maker), rights);
  };
