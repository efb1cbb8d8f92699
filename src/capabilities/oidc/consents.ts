import { hashSecret } from '../../core/sessions/credential.ts';
import { readNames } from '../../core/users/scopes.ts';
import type { User } from '../../core/users/user.ts';
import type { Database } from '../../ground/database/database.ts';
import { countDeleted, removeOfClient } from '../../ground/database/deletions.ts';
import { insertNew } from '../../ground/database/insert-new.ts';

export interface Consent {
  readonly scope: readonly string[];
  /** A hash of what the user saw of the client. With another one, the user has to be asked again. */
  readonly version: string;
}

export interface ListedConsent {
  readonly clientId: string;
  readonly scope: readonly string[];
  readonly givenAt: Date;
}

/** Every method throws `Unavailable` when the database cannot be reached. */
export type Consents = ReturnType<typeof createConsents>;

/**
 * What users let clients have.
 * @param ownerOf '' in Janua's own table. In a team's own table the user name: an id there may be given to another person
 * @param now milliseconds since 1970
 */
export function createConsents(database: Database, ownerOf: (user: User) => string, now: () => number) {
  const idOf = (user: User, clientId: string) => hashSecret(JSON.stringify([user.id, ownerOf(user), clientId]));

  return {
    async find(user: User, clientId: string): Promise<Consent | undefined> {
      const one = database.selectFrom('janua_consents').select(['scope', 'version']);
      const row = await one.where('id', '=', idOf(user, clientId)).executeTakeFirst();
      return row && { scope: readNames(row.scope), version: row.version };
    },

    /** Replaces what the user let the client have before. */
    async give(user: User, clientId: string, { scope, version }: Consent): Promise<void> {
      const id = idOf(user, clientId);
      const given = { scope: scope.join(' '), version, given_at: now() };
      const row = { id, user_id: user.id, owner: ownerOf(user), client_id: clientId, ...given };
      if (await insertNew(database.insertInto('janua_consents').values(row))) return;
      await database.updateTable('janua_consents').set(given).where('id', '=', id).execute();
    },

    /** The latest first. */
    async list(user: User): Promise<ListedConsent[]> {
      const own = database
        .selectFrom('janua_consents')
        .where('user_id', '=', user.id)
        .where('owner', '=', ownerOf(user));
      const rows = await own.select(['client_id', 'scope', 'given_at']).orderBy('given_at', 'desc').execute();
      return rows.map((row) => ({
        clientId: row.client_id,
        scope: readNames(row.scope),
        givenAt: new Date(Number(row.given_at)),
      }));
    },

    /** False if there was no consent. */
    revoke: async (user: User, clientId: string): Promise<boolean> =>
      (await countDeleted(database.deleteFrom('janua_consents').where('id', '=', idOf(user, clientId)))) > 0,

    /** Forgets what all users let a client have. */
    async forgetClient(clientId: string): Promise<void> {
      await removeOfClient(database, 'janua_consents', clientId);
    },
  };
}
