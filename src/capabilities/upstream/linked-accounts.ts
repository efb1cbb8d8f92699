import type { Account } from '../../core/users/account.ts';
import type { UpstreamOptions } from './options.ts';
import type { Profile } from './upstream.ts';

/** Which account an identity is linked with. */
export function createLinkedAccounts({ identities, users }: Pick<UpstreamOptions, 'identities' | 'users'>) {
  /** Undefined if the user is gone, or a newcomer under the id. */
  async function accountOf(userId: string): Promise<Account | undefined> {
    const account = await users.findById(userId);
    return account;
  }

  /** The account that an identity is linked with. Undefined if there is none, or no longer. */
  async function findAccount(identity: Pick<Profile, 'issuer' | 'subject'>): Promise<Account | undefined> {
    const userId = await identities.findUserId(identity);
    return userId === undefined ? undefined : accountOf(userId);
  }

  return { accountOf, findAccount };
}
