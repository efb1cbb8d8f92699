import type { Admitted, LoginRequest } from '../../core/access/admit.ts';
import type { Caller } from '../../core/audit/event.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import type { OwnAccounts } from './events.ts';

export type OwnRequest = LoginRequest & { readonly caller: Caller };

/**
 * Returns a function that signs in the owner of a new account, who has just chosen the password. The function returns undefined if the
 * login is not possible now, for example because a store cannot be reached. The account stays, and its owner can log in later.
 */
export const createAdmitNew =
  ({ users, admit }: Pick<OwnAccounts, 'users' | 'admit'>) =>
  async (id: string, { presented, language, headers, next, caller }: OwnRequest): Promise<Admitted | undefined> => {
    try {
      const account = await users.findById(id);
      const proof = account && { account, methods: ['pwd'] as const, stillHolds: async () => false };
      return (
        proof && (await admit(proof, { presented, language, headers, next, caller, event: { reason: 'sign-up' } }))
      );
    } catch (error) {
      if (error instanceof Unavailable) return undefined;
      throw error;
    }
  };
