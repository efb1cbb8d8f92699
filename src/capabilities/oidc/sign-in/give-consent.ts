import { hash } from 'node:crypto';
import { byOwner, notAuthenticated, type SignedIn } from '../../../core/access/access.ts';
import { Refusal } from '../../../core/access/refusal.ts';
import type { AuditOf } from '../../../core/audit/audit.ts';
import { type Account, stampOf } from '../../../core/users/account.ts';
import { type Hold, provedBy } from '../../../core/users/held.ts';
import type { User } from '../../../core/users/user.ts';
import type { Database } from '../../../ground/database/database.ts';
import { tableOf } from '../claim-table.ts';
import { aboutClient, type ProviderClient } from '../clients/library-client.ts';
import type { events } from '../events.ts';
import type { WaitingRequest } from '../provider/pending-requests.ts';
import type { Deciding } from './access-barriers.ts';
import type { Consents } from './consents.ts';
import { requestedOf } from './requested-scopes.ts';

export interface GiveConsentOptions {
  readonly consents: Consents;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly hold: Hold;
  readonly audit: AuditOf<typeof events>;
}

/** Hashes the application as the user saw it. If the hash changes, the user is asked again. */
export function versionOf({ clientName, redirectUris = [], ...client }: ProviderClient): string {
  const table = tableOf(client);
  // Without a table, the hash is that of earlier versions.
  const shown = [clientName, [...redirectUris].sort(), ...(table.length === 0 ? [] : [table])];
  return hash('sha256', JSON.stringify(shown), 'base64url');
}

export type GiveConsent = ReturnType<typeof createGiveConsent>;

/** Creates the function that stores the user's consent to a request. */
export function createGiveConsent({ consents, findAccount, hold, audit }: GiveConsentOptions) {
  /** Reads the account as it is now: a lasting grant must not outlive a change of the account since the request was authenticated. */
  async function requireAccount({ user, session }: SignedIn): Promise<Account> {
    const account = await findAccount(user.id);
    if (account === undefined || stampOf(account) !== session.stamp) throw new Refusal(notAuthenticated);
    return account;
  }

  /**
   * Stores a consent while the account is locked. A password reset deletes consents. Without the lock, a consent that was given during the
   * reset could be stored after it, because a consent carries no stamp of the account.
   */
  async function keepConsent(
    account: Account,
    client: ProviderClient,
    wanted: readonly string[],
    recordIn: (db: Database) => Promise<void>,
  ): Promise<void> {
    const version = versionOf(client);
    return hold(provedBy(account), async (held) => {
      const before = await consents.find(held.user, client.clientId, held.db);
      const kept = before?.version === version ? before.scope : [];
      // An application may ask again and again. Storing each answer would use up the user's limit of changes, and record nothing new.
      if (before?.version === version && wanted.every((scope) => kept.includes(scope))) return;
      await consents.give(held, client.clientId, { scope: [...new Set([...kept, ...wanted])], version });
      await recordIn(held.db);
    });
  }

  /** @throws {Refusal} `not-authenticated` @throws {AccountChanged} */
  return async (
    { client, asked }: Pick<WaitingRequest, 'client' | 'asked'>,
    { signedIn, caller }: Deciding,
  ): Promise<Account> => {
    const account = await requireAccount(signedIn);
    const event = { kind: 'consent-given', ...aboutClient(client), ...byOwner(signedIn, caller) } as const;
    await keepConsent(account, client, requestedOf(asked), (db) => audit.recordIn(db, event));
    return account;
  };
}

/** Tells whether a user has allowed an application all of these scopes before. */
export async function hasConsent(consents: Consents, user: User, client: ProviderClient, scopes: readonly string[]) {
  const given = await consents.find(user, client.clientId);
  return given?.version === versionOf(client) && scopes.every((scope) => given.scope.includes(scope));
}
