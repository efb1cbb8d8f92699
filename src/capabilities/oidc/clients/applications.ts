import { placeOf } from '../../../core/ports.ts';
import type { User } from '../../../core/users/user.ts';
import type { Database } from '../../../ground/database/database.ts';
import { inTransactionOn } from '../../../ground/database/transaction.ts';
import { pictureAddress } from '../pictures/stored-pictures.ts';
import type { Consents } from '../sign-in/consents.ts';
import type { Clients } from './clients.ts';

export interface ApplicationOptions {
  readonly database: Database;
  readonly clients: Pick<Clients, 'find'>;
  readonly consents: Pick<Consents, 'list' | 'revoke'>;
  /** Lists the clients that hold grants of a user. */
  readonly clientsOf: (userId: string) => Promise<readonly { readonly clientId: string; readonly since: Date }[]>;
  /** Ends the codes, tokens and grants that a client holds of a user. */
  readonly revokeGrants: (userId: string, clientId: string, db: Database) => Promise<void>;
}

export interface Application {
  readonly clientId: string;
  readonly name: string;
  /** The address of its picture. Undefined for one without, for a metadata document, and for a removed client. */
  readonly picture: string | undefined;
  /** Scopes that the user allowed. Empty if Janua did not ask the user. */
  readonly scopes: readonly string[];
  readonly since: Date;
}

type Placed = Pick<Application, 'clientId' | 'since'>;

/** Tells whether an application comes after a place in the list: the user allowed it earlier, or at the same time and its id is greater. */
function isAfter({ since, clientId }: Placed, [time = '', id = '']: readonly string[]): boolean {
  const difference = since.getTime() - Number(time);
  return difference < 0 || (difference === 0 && clientId > id);
}

export type Applications = ReturnType<typeof createApplications>;

/** Lists and revokes the applications that a user has allowed, or that hold grants of the user. */
export function createApplications({ database, clients, consents, clientsOf, revokeGrants }: ApplicationOptions) {
  /** A client of a metadata document is named by its host, because a user can recognize that. A removed client is named by its id. */
  async function lookOf(id: string): Promise<Pick<Application, 'name' | 'picture'>> {
    const client = await clients.find(id);
    const name = client?.name ?? (URL.canParse(id) ? new URL(id).host : id);
    return { name, picture: pictureAddress(client?.picture) };
  }

  type ApplicationWithoutName = Omit<Application, 'name' | 'picture'>;

  /** Lists the applications, the latest first. The list is at most as long as the user's consents and grants together. */
  async function listWithoutNames(user: User): Promise<ApplicationWithoutName[]> {
    const [given, holding] = [await consents.list(user), await clientsOf(user.id)];
    const consented = given.map(({ clientId, scope, givenAt }) => ({ clientId, scopes: scope, since: givenAt }));
    const known = new Set(given.map(({ clientId }) => clientId));
    const others = holding.filter(({ clientId }) => !known.has(clientId));
    const all = [...consented, ...others.map(({ clientId, since }) => ({ clientId, scopes: [], since }))];
    return all.sort((one, other) => (isAfter(one, placeOf(other)) ? 1 : -1));
  }

  const name = async (one: ApplicationWithoutName): Promise<Application> => ({
    ...one,
    ...(await lookOf(one.clientId)),
  });

  return {
    /**
     * Lists the applications, the latest first. Looks up only the names that it returns.
     * @param after the place of the last application on the page before
     */
    async list(user: User, limit?: number, after?: readonly string[]): Promise<Application[]> {
      const all = await listWithoutNames(user);
      const further = after === undefined ? all : all.filter((one) => isAfter(one, after));
      return Promise.all(further.slice(0, limit).map(name));
    },

    count: async (user: User): Promise<number> => (await listWithoutNames(user)).length,

    /**
     * Revokes an application, which then has to ask the user again, and returns it. Undefined if the list does not have it.
     * @param recordIn records the change in its transaction
     */
    async revoke(
      user: User,
      clientId: string,
      recordIn: (db: Database, application: Application) => Promise<void>,
    ): Promise<Application | undefined> {
      const found = (await listWithoutNames(user)).find((one) => one.clientId === clientId);
      if (found === undefined) return undefined;
      const application = await name(found);
      await inTransactionOn(database, { rows: [user.id] }, async (db) => {
        // The consent goes first. The application could otherwise renew its grant without a question to the user.
        await consents.revoke(user, clientId, db);
        await revokeGrants(user.id, clientId, db);
        await recordIn(db, application);
      });
      return application;
    },
  };
}
