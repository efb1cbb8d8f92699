import { placeOf } from '../../core/ports.ts';
import type { User } from '../../core/users/user.ts';
import type { Database } from '../../ground/database/database.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import type { Clients } from './clients.ts';
import type { Consents } from './consents.ts';

export interface ApplicationOptions {
  readonly database: Database;
  readonly clients: Pick<Clients, 'find'>;
  readonly consents: Pick<Consents, 'list' | 'revoke'>;
  /** The clients that hold codes, tokens or grants of a user. */
  readonly clientsOf: (userId: string) => Promise<readonly { readonly clientId: string; readonly since: Date }[]>;
  /** Ends what a client holds of a user. */
  readonly revokeGrants: (userId: string, clientId: string, db: Database) => Promise<void>;
}

export interface Application {
  readonly clientId: string;
  readonly name: string;
  /** What the user let it have. Empty where the user was not asked. */
  readonly scopes: readonly string[];
  readonly since: Date;
}

type Placed = Pick<Application, 'clientId' | 'since'>;

/** Whether an application comes after a place: the user let it in earlier, or at the same time and its id is later. */
function isAfter({ since, clientId }: Placed, [time = '', id = '']: readonly string[]): boolean {
  const difference = since.getTime() - Number(time);
  return difference < 0 || (difference === 0 && clientId > id);
}

export type Applications = ReturnType<typeof createApplications>;

/** The applications that a user let in, or that hold something of the user. */
export function createApplications({ database, clients, consents, clientsOf, revokeGrants }: ApplicationOptions) {
  /** Without the application, and for one that introduces itself by a document, the host is what a user can recognize. */
  async function nameOf(id: string): Promise<string> {
    const client = await clients.find(id);
    return client?.name ?? (URL.canParse(id) ? new URL(id).host : id);
  }

  type Unnamed = Omit<Application, 'name'>;

  /** The latest first. There are as many as consents and grants at most. */
  async function listUnnamed(user: User): Promise<Unnamed[]> {
    const [given, holding] = [await consents.list(user), await clientsOf(user.id)];
    const consented = given.map(({ clientId, scope, givenAt }) => ({ clientId, scopes: scope, since: givenAt }));
    const known = new Set(given.map(({ clientId }) => clientId));
    const others = holding.filter(({ clientId }) => !known.has(clientId));
    const all = [...consented, ...others.map(({ clientId, since }) => ({ clientId, scopes: [], since }))];
    return all.sort((one, other) => (isAfter(one, placeOf(other)) ? 1 : -1));
  }

  const name = async (one: Unnamed): Promise<Application> => ({ ...one, name: await nameOf(one.clientId) });

  return {
    /** The latest first. @param after the place of the last application of the part before. Only those of this part are looked up */
    async list(user: User, limit?: number, after?: readonly string[]): Promise<Application[]> {
      const all = await listUnnamed(user);
      const further = after === undefined ? all : all.filter((one) => isAfter(one, after));
      return Promise.all(further.slice(0, limit).map(name));
    },

    count: async (user: User): Promise<number> => (await listUnnamed(user)).length,

    /** The application, which has to ask the user again. `recordIn` records it in the transaction. Undefined if it is not in the list. */
    async revoke(
      user: User,
      clientId: string,
      recordIn: (db: Database, application: Application) => Promise<void>,
    ): Promise<Application | undefined> {
      const found = (await listUnnamed(user)).find((one) => one.clientId === clientId);
      if (found === undefined) return undefined;
      const application = await name(found);
      await inTransaction(database, async (db) => {
        // The consent first: the application could otherwise renew its grant without a question.
        await consents.revoke(user, clientId, db);
        await revokeGrants(user.id, clientId, db);
        await recordIn(db, application);
      });
      return application;
    },
  };
}
