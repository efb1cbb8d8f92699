import { hashSecret } from '../../../core/sessions/credential.ts';
import type { Held } from '../../../core/users/held.ts';
import { limitRows } from '../../../core/users/row-limits.ts';
import { readNames } from '../../../core/users/scopes.ts';
import type { User } from '../../../core/users/user.ts';
import type { Database } from '../../../ground/database/database.ts';
import { countDeleted, removeOfClient } from '../../../ground/database/deletions.ts';

export interface Consent {
  readonly scope: readonly string[];
  /** Hash of the client as the user saw it. If the client changes, the user has to be asked again. */
  readonly version: string;
}

export interface ListedConsent {
  readonly clientId: string;
  readonly scope: readonly string[];
  readonly givenAt: Date;
}

/** Every method throws `Unavailable` when the database cannot be reached. */
export type Consents = ReturnType<typeof createConsents>;

/** Stores the scopes that users allow clients. */
export function createConsents(database: Database, now: () => number) {
  const idOf = (user: Pick<User, 'id'>, clientId: string) => hashSecret(JSON.stringify([user.id, clientId]));

  return {
    async find(user: Pick<User, 'id'>, clientId: string, db = database): Promise<Consent | undefined> {
      const own = db.selectFrom('janua_consents').select(['scope', 'version']).where('user_id', '=', user.id);
      const row = await own.where('client_id', '=', clientId).executeTakeFirst();
      return row && { scope: readNames(row.scope), version: row.version };
    },

    /**
     * Replaces the user's former consent for the client. Beyond the limit, the user's oldest consent is deleted, and that client has to ask
     * again.
     */
    async give({ user, db }: Held, clientId: string, { scope, version }: Consent): Promise<void> {
      const row = {
        id: idOf(user, clientId),
        user_id: user.id,
        client_id: clientId,
        scope: scope.join(' '),
        version,
        given_at: now(),
      };
      await db.deleteFrom('janua_consents').where('user_id', '=', user.id).where('client_id', '=', clientId).execute();
      await db.insertInto('janua_consents').values(row).execute();
      await limitRows(db, 'janua_consents', user, row.given_at);
    },

    /** Lists a user's consents, the latest first. */
    async list(user: Pick<User, 'id'>): Promise<ListedConsent[]> {
      const own = database.selectFrom('janua_consents').where('user_id', '=', user.id);
      const rows = await own.select(['client_id', 'scope', 'given_at']).orderBy('given_at', 'desc').execute();
      return rows.map((row) => ({
        clientId: row.client_id,
        scope: readNames(row.scope),
        givenAt: new Date(Number(row.given_at)),
      }));
    },

    /** False if there was no consent. */
    async revoke(user: Pick<User, 'id'>, clientId: string, db = database): Promise<boolean> {
      const own = db.deleteFrom('janua_consents').where('user_id', '=', user.id);
      return (await countDeleted(own.where('client_id', '=', clientId))) > 0;
    },

    /** Deletes the consents of all users for a client. */
    async forgetClient(clientId: string): Promise<void> {
      await removeOfClient(database, 'janua_consents', clientId);
    },
  };
}
