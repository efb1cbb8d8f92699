import type { Account } from '../../core/users/account.ts';
import type { UpstreamCore } from './events.ts';
import type { Profile } from './upstream.ts';

/** Finds the account with which an identity is linked. */
export function createLinkedAccounts({ identities, users }: Pick<UpstreamCore, 'identities' | 'users'>) {
  /** Undefined if the user is gone, or the id in a team's own table belongs to another person. */
  async function accountOf(userId: string): Promise<Account | undefined> {
    const account = await users.findById(userId);
    return account;
  }

  /** Finds the account with which an identity is linked. Undefined if there is none, or it is gone. */
  async function findAccount(identity: Pick<Profile, 'issuer' | 'subject'>): Promise<Account | undefined> {
    const userId = await identities.findUserId(identity);
    return userId === undefined ? undefined : accountOf(userId);
  }

  return { accountOf, findAccount };
}
