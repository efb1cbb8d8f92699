import type { Account } from '../../core/users/account.ts';
import type { IdentityOwner } from './identities.ts';
import type { UpstreamOptions } from './options.ts';
import type { Profile } from './upstream.ts';

/** Which account an identity is linked with. */
export function createLinkedAccounts({
  identities,
  users,
  registry,
}: Pick<UpstreamOptions, 'identities' | 'users' | 'registry'>) {
  const ownerOf = ({ user }: Pick<Account, 'user'>): IdentityOwner => ({
    userId: user.id,
    username: registry === undefined ? user.username : '',
  });

  /** Undefined if the user is gone, or has another name in a team's own table. */
  async function accountOf({ userId, username }: IdentityOwner): Promise<Account | undefined> {
    const account = await users.findById(userId);
    return account && ownerOf(account).username === username ? account : undefined;
  }

  /** The account that an identity is linked with. Undefined if there is none, or no longer. */
  async function findAccount(identity: Pick<Profile, 'issuer' | 'subject'>): Promise<Account | undefined> {
    const owner = await identities.find(identity);
    return owner && accountOf(owner);
  }

  return { ownerOf, accountOf, findAccount };
}
