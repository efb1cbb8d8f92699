import type { Database } from '../../ground/database/database.ts';
import { type Answer, Refusal } from '../access/refusal.ts';
import type { AuditOf } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import { type Account, stampOf } from '../users/account.ts';
import { AccountChanged } from '../users/held.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { events } from './events.ts';
import type { Tokens } from './tokens.ts';

/**
 * The answer to a link that cannot be used. It is the same for a blank, foreign, used, expired or truncated link.
 * @param again the page on which the user gets a new link
 */
export const linkExpired = (again: string): Answer => ({
  name: 'link-expired',
  status: 410,
  detail: 'This link has expired, was used already, or was withdrawn',
  again,
});

export interface LinkOptions {
  readonly tokens: Tokens;
  readonly users: Pick<UserDirectory, 'findById' | 'findByUsername'>;
  readonly audit: AuditOf<typeof events>;
}

export interface Opened {
  readonly address: string;
  readonly account: Account | undefined;
  /** The link by which the user joins. */
  readonly inviteLinkId?: string | undefined;
}

/**
 * Opens and uses the links in mails. Opening a link does not use it up, because mail scanners open links (VM-64).
 * @param purpose of all these links
 * @param expired the answer to a link that cannot be used
 * @param options whether the links go to an address that the account does not have yet. Other links work only while the account has the
 * address
 */
export function createLinks(
  { tokens, users, audit }: LinkOptions,
  purpose: string,
  expired: Answer,
  { isForNewAddress = false }: { readonly isForNewAddress?: boolean } = {},
) {
  async function refuse(
    caller: Caller,
    about: { readonly userId?: string | undefined; readonly reason?: 'for-many' } = {},
  ): Promise<never> {
    await audit.recordIfPossible({ kind: 'link-refused', caller, ...about });
    throw new Refusal(expired);
  }

  /**
   * Returns the address that the link was sent to, and the account that it was sent for, if there was one.
   * @throws {Refusal} `expired` if the token is not valid, its account is removed, disabled or changed, or another account has its address
   */
  async function open(secret: string, caller: Caller): Promise<Opened> {
    const token = await tokens.find(purpose, secret);
    if (token === undefined) return refuse(caller);
    const { address, userId, stamp, inviteLinkId } = token;
    const owner = await users.findByUsername(address);
    if (owner !== undefined && !owner.isReplaceable && owner.user.id !== userId) return refuse(caller, { userId });
    if (userId === undefined) return { address, account: undefined, inviteLinkId };
    const account = await users.findById(userId);
    const isGood =
      account !== undefined &&
      !account.disabled &&
      stamp === stampOf(account) &&
      (isForNewAddress || account.user.username === address);
    return isGood ? { address, account } : refuse(caller, { userId });
  }

  return {
    open,

    /** Records a link that is refused for another reason, and answers as to an expired link. */
    refuse,

    /** Opens a link of a purpose whose links are all sent for an account. */
    async openOwn(secret: string, caller: Caller): Promise<{ address: string; account: Account }> {
      const { address, account } = await open(secret, caller);
      if (account === undefined) throw new TypeError(`the link ${purpose} belongs to an account`);
      return { address, account };
    },

    /**
     * Makes a change and uses the link up, both or neither.
     * @param change calls `spend` in a transaction, after it has locked the account. If it cannot make the change, it returns undefined:
     * the link then counts as expired
     * @throws {Refusal} `expired`
     */
    async use<Result>(
      secret: string,
      caller: Caller,
      change: (spend: (db: Database) => Promise<void>) => Promise<Result | undefined>,
    ): Promise<Result> {
      const spent = new Error('the link is spent');
      const made = await change(async (db) => {
        if (!(await tokens.consume(purpose, secret, db))) throw spent;
      }).catch((error: unknown) => {
        if (error === spent || error instanceof AccountChanged) return undefined;
        throw error;
      });
      return made ?? refuse(caller);
    },
  };
}
