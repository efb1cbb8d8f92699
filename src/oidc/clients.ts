import type { OpenDatabase } from '../database/database.ts';
import { countDeleted } from '../database/deletions.ts';
import type { Row } from '../database/schema.ts';
import { createSecret, createSessionId, hashSecret } from '../sessions/credential.ts';

/** What the operator sets of a client. */
export interface ClientSettings {
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly backchannelLogoutUri: string | undefined;
  /** The operator's own: users are not asked for consent. */
  readonly own: boolean;
  /** Whether it may use the device flow (RFC 8628). */
  readonly device: boolean;
  /** Whether it demands `urn:janua:2fa` of every sign-in. */
  readonly secondFactor: boolean;
  /** Only members of these may use it. Empty: every user may. */
  readonly groups: readonly string[];
}

/** What a new client has unless the operator says otherwise. */
export const nothingSet: ClientSettings = {
  name: '',
  redirectUris: [],
  postLogoutRedirectUris: [],
  backchannelLogoutUri: undefined,
  own: false,
  device: false,
  secondFactor: false,
  groups: [],
};

/** An application that signs its users in here. */
export interface Client extends ClientSettings {
  /** The random `client_id`. */
  readonly id: string;
  /** As `hashSecret` gives it. Undefined for a public client. */
  readonly secretHash: string | undefined;
  readonly createdAt: Date;
}

export interface NewClient extends ClientSettings {
  /** Whether it can keep no secret (RFC 6749 2.1). */
  readonly isPublic: boolean;
}

/** Every method throws `Unavailable` when the database cannot be reached. @param now milliseconds since 1970 */
export type Clients = ReturnType<typeof createClients>;

/** Whether a text has the shape of the ids that `add` makes. */
export const isClientId = (text: string): boolean => /^[\w-]{22}$/.test(text);

/** Clients by id. Of a secret only the hash is stored. @param now milliseconds since 1970 */
export function createClients({ database, prepareLookup }: OpenDatabase, now: () => number) {
  const rows = database.selectFrom('janua_clients').selectAll();
  const findRow = prepareLookup((id) => rows.where('id', '=', id), 'id');

  async function find(id: string): Promise<Client | undefined> {
    if (!isClientId(id)) return undefined;
    const [row] = await findRow(id);
    return row && fromRow(row);
  }

  return {
    find,

    /** By name. */
    list: async (): Promise<Client[]> => (await rows.orderBy('name').orderBy('id').execute()).map(fromRow),

    exist: async (): Promise<boolean> => (await rows.limit(1).executeTakeFirst()) !== undefined,

    /** Gives the secret. It is known only now. Undefined for a public client. */
    async add({ isPublic, ...settings }: NewClient): Promise<{ client: Client; secret: string | undefined }> {
      const secret = isPublic ? undefined : createSecret();
      const row = {
        id: createSessionId(),
        secret_hash: secret === undefined ? null : hashSecret(secret),
        ...toColumns(settings),
        created_at: now(),
      };
      await database.insertInto('janua_clients').values(row).execute();
      return { client: fromRow(row), secret };
    },

    /** Gives the changed client. Undefined if there is none with that id. */
    async change(id: string, changes: Partial<ClientSettings>): Promise<Client | undefined> {
      const client = await find(id);
      if (client === undefined) return undefined;
      const changed = { ...client, ...changes };
      await database.updateTable('janua_clients').set(toColumns(changed)).where('id', '=', id).execute();
      return changed;
    },

    /** False if there is no client with that id. */
    remove: async (id: string): Promise<boolean> =>
      (await countDeleted(database.deleteFrom('janua_clients').where('id', '=', id))) > 0,

    /** Gives the new secret, which is known only now. Undefined for a public client, and if there is none with that id. */
    async rotateSecret(id: string): Promise<string | undefined> {
      const secret = createSecret();
      const confidential = database
        .updateTable('janua_clients')
        .where('id', '=', id)
        .where('secret_hash', 'is not', null);
      const { numUpdatedRows } = await confidential.set({ secret_hash: hashSecret(secret) }).executeTakeFirst();
      return numUpdatedRows > 0n ? secret : undefined;
    },
  };
}

function toColumns({ name, ...client }: ClientSettings) {
  const { redirectUris, postLogoutRedirectUris, backchannelLogoutUri, own, device, secondFactor, groups } = client;
  const settings = { redirectUris, postLogoutRedirectUris, backchannelLogoutUri, own, device, secondFactor, groups };
  return { name, settings: JSON.stringify(settings) };
}

function fromRow(row: Row<'janua_clients'>): Client {
  const settings: Omit<ClientSettings, 'name' | 'backchannelLogoutUri'> & { readonly backchannelLogoutUri?: string } =
    JSON.parse(row.settings);
  return {
    id: row.id,
    name: row.name,
    secretHash: row.secret_hash ?? undefined,
    ...settings,
    backchannelLogoutUri: settings.backchannelLogoutUri,
    createdAt: new Date(Number(row.created_at)),
  };
}
