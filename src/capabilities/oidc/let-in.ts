import { hash } from 'node:crypto';
import { byOwner, notAuthenticated, type SignedIn } from '../../core/access/access.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { AuditOf } from '../../core/audit/audit.ts';
import { type Account, stampOf } from '../../core/users/account.ts';
import { type Hold, provedBy } from '../../core/users/held.ts';
import type { User } from '../../core/users/user.ts';
import type { Database } from '../../ground/database/database.ts';
import { requestedOf } from './asked.ts';
import type { Deciding } from './barriers.ts';
import type { Consents } from './consents.ts';
import type { events } from './events.ts';
import { aboutClient, type ProviderClient } from './provider-client.ts';
import type { WaitingRequest } from './provider-waiting.ts';

export interface LetInOptions {
  readonly consents: Consents;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly hold: Hold;
  readonly audit: AuditOf<typeof events>;
}

/** A hash of what the user saw of an application. With another one, the user is asked again. */
export const versionOf = ({ clientName, redirectUris = [] }: ProviderClient): string =>
  hash('sha256', JSON.stringify([clientName, [...redirectUris].sort()]), 'base64url');

export type LetIn = ReturnType<typeof createLetIn>;

/** Stores that a user wants to give an application what it asks for. */
export function createLetIn({ consents, findAccount, hold, audit }: LetInOptions) {
  /** The account as it is now: what lasts must not outlive a change that was made since the request was let in. */
  async function requireAccount({ user, session }: SignedIn): Promise<Account> {
    const account = await findAccount(user.id);
    if (account === undefined || stampOf(account) !== session.stamp) throw new Refusal(notAuthenticated);
    return account;
  }

  /** A consent carries no stamp. One that is given while a reset ends them must not come after it. */
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
      // An application may ask again and again. Each answer would use up what the user may change, and tell nothing new.
      if (before?.version === version && wanted.every((scope) => kept.includes(scope))) return;
      await consents.give(held, client.clientId, { scope: [...new Set([...kept, ...wanted])], version });
      await recordIn(held.db);
    });
  }

  /** @throws {Refusal} `not-authenticated`; {AccountChanged} */
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

/** Whether a user let an application have all of this before. */
export async function hasConsent(consents: Consents, user: User, client: ProviderClient, scopes: readonly string[]) {
  const given = await consents.find(user, client.clientId);
  return given?.version === versionOf(client) && scopes.every((scope) => given.scope.includes(scope));
}
