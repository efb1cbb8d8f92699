import type { SignedIn } from '../access/access.ts';
import type { Caller } from '../audit/event.ts';
import { inTransaction } from '../database/transaction.ts';
import type { Language } from '../languages/languages.ts';
import type { OwnOptions } from './options.ts';

/** Deletes the account of a user who has just proved who they are, with its sessions and links. The audit keeps its events by id. */
export function createDeleteAccount({ database, registry, outbox, sessions, audit }: OwnOptions) {
  return async ({ user, session }: SignedIn, language: Language, caller: Caller): Promise<void> => {
    const farewell = { purpose: 'account-deleted', address: user.username, requestId: caller.requestId };
    await inTransaction(database, async (db) => {
      // Another request may have deleted it.
      if (!(await registry.remove(user.id, db))) return;
      await outbox?.add({ ...farewell, language: user.language ?? language }, db);
    });
    await audit.recordIfPossible({ kind: 'account-deleted', caller, userId: user.id, sessionId: session.id });
    // A session without an account has ended. If the store is away, the records expire.
    await sessions.endAllOf(user.id).catch(() => {});
  };
}
