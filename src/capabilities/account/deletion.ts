import type { SignedIn } from '../../core/access/access.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { Account } from '../../core/users/account.ts';
import { provedBy } from '../../core/users/held.ts';
import type { Language } from '../../ground/languages/languages.ts';
import type { OwnAccounts } from './events.ts';

/**
 * Returns a function that deletes the account of a user who has just proved their identity, with its sessions and the links in its mails. The
 * audit log keeps the events of the account, which name it by its id.
 * @throws {AccountChanged} if it has changed since the proof; {ChangeRefused} `last-administrator`
 */
export function createDeleteAccount({ change, registry }: OwnAccounts) {
  return async ({ session }: SignedIn, account: Account, language: Language, caller: Caller): Promise<void> => {
    const by = { caller, language, session };
    await change({ kind: 'account-deleted' }, provedBy(account), by, (held) => registry.remove(held));
  };
}
