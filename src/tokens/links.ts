import { type Answer, Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Database } from '../database/database.ts';
import { inTransaction } from '../database/transaction.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { events } from './events.ts';
import type { OneTimeToken, Tokens } from './tokens.ts';

/** The same for a link that is blank, foreign, used, expired or truncated. @param again where the user gets a new one */
export const linkExpired = (again: string): Answer => ({
  name: 'link-expired',
  status: 410,
  detail: 'This link has expired or was used already',
  again,
});

/** A link whose token is valid, and the account that it was sent for, if there was one. */
export interface OpenedLink {
  readonly token: OneTimeToken;
  readonly account: Account | undefined;
}

export interface LinkOptions {
  readonly database: Database;
  readonly tokens: Tokens;
  readonly users: Pick<UserDirectory, 'findById' | 'findByUsername'>;
  readonly audit: Audit<keyof typeof events>;
}

export type Links = ReturnType<typeof createLinks>;

/** Opens and uses the links of mails. Looking at a link does not use it up, because mail scanners open links (VM-64). */
export function createLinks({ database, tokens, users, audit }: LinkOptions) {
  async function refuse(expired: Answer, caller: Caller, userId?: string): Promise<never> {
    await audit.recordIfPossible({ kind: 'link-refused', caller, userId });
    throw new Refusal(expired);
  }

  return {
    /** @throws {Refusal} `expired` if the token is not valid, its account is gone, disabled or changed, or another one has its address */
    async open(purpose: string, secret: string, expired: Answer, caller: Caller): Promise<OpenedLink> {
      const token = await tokens.find(purpose, secret);
      if (token === undefined) return refuse(expired, caller);
      const owner = await users.findByUsername(token.address);
      if (owner !== undefined && !owner.isReplaceable && owner.user.id !== token.userId)
        return refuse(expired, caller, token.userId);
      if (token.userId === undefined) return { token, account: undefined };
      const account = await users.findById(token.userId);
      const isGood = account !== undefined && !account.disabled && token.stamp === stampOf(account);
      return isGood ? { token, account } : refuse(expired, caller, token.userId);
    },

    /**
     * Consumes the token and makes the change, both or neither.
     * @param change false if it cannot be made: the link then counts as expired
     * @throws {Refusal} `expired`
     */
    async use(
      { purpose, secret, expired, caller }: { purpose: string; secret: string; expired: Answer; caller: Caller },
      change: (db: Database) => Promise<boolean>,
    ): Promise<void> {
      const transaction = inTransaction(database, async (db) => {
        if (!(await tokens.consume(purpose, secret, db)) || !(await change(db))) throw new Refusal(expired);
      });
      await transaction.catch((error: unknown) => {
        if (error instanceof Refusal) return refuse(expired, caller);
        throw error;
      });
    },
  };
}
