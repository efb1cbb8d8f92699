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

export type Applications = ReturnType<typeof createApplications>;

/** The applications that a user let in, or that hold something of the user. */
export function createApplications({ database, clients, consents, clientsOf, revokeGrants }: ApplicationOptions) {
  /** Without the application, and for one that introduces itself by a document, the host is what a user can recognize. */
  async function nameOf(id: string): Promise<string> {
    const client = await clients.find(id);
    return client?.name ?? (URL.canParse(id) ? new URL(id).host : id);
  }

  /** The latest first. */
  async function list(user: User): Promise<Application[]> {
    const [given, holding] = [await consents.list(user), await clientsOf(user.id)];
    const consented = given.map(({ clientId, scope, givenAt }) => ({ clientId, scopes: scope, since: givenAt }));
    const others = holding.filter(({ clientId }) => !given.some((one) => one.clientId === clientId));
    const all = [...consented, ...others.map(({ clientId, since }) => ({ clientId, scopes: [], since }))];
    const named = all.map(async (one) => ({ ...one, name: await nameOf(one.clientId) }));
    return (await Promise.all(named)).sort((one, other) => other.since.getTime() - one.since.getTime());
  }

  return {
    list,

    /** The application, which has to ask the user again. `recordIn` records it in the transaction. Undefined if it is not in the list. */
    async revoke(
      user: User,
      clientId: string,
      recordIn: (db: Database, application: Application) => Promise<void>,
    ): Promise<Application | undefined> {
      const application = (await list(user)).find((one) => one.clientId === clientId);
      if (application === undefined) return undefined;
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
