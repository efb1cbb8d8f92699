import { isDeepStrictEqual } from 'node:util';
import { createSessionId } from '../../../core/sessions/credential.ts';
import { inGroupsTransaction } from '../../../core/users/groups.ts';
import { limitRows } from '../../../core/users/row-limits.ts';
import type { Database, OpenDatabase } from '../../../ground/database/database.ts';
import { countDeleted } from '../../../ground/database/deletions.ts';
import type { Row } from '../../../ground/database/schema.ts';
import { shareAnswer } from '../../../ground/database/share-answer.ts';
import { inTransactionOn } from '../../../ground/database/transaction.ts';
import { mostRows } from '../../../web/list.ts';
import type { ClientClaim } from '../claim-table.ts';
import type { UsableKey } from '../keys/foreign-keys.ts';
import type { Signature } from '../keys/signing-keys.ts';
import type { Machine } from '../machines/machine.ts';
import type { Trust } from '../machines/trust.ts';
import type { Picture } from '../pictures/read-picture.ts';
import { replacePicture } from '../pictures/stored-pictures.ts';
import { hasKeys } from './client-keys.ts';
import { type ClientSecret, createClientSecret, firstSecret, readSecrets, withUse } from './client-secrets.ts';

/**
 * The protection of a client's codes against injection (RFC 9700 2.1.1). `nonce`: a request needs a challenge (PKCE) or the `nonce` of
 * OpenID Connect. `required`: it needs a challenge. `optional`: it needs neither.
 */
export const pkceSettings = ['nonce', 'required', 'optional'] as const;
export type PkceSetting = (typeof pkceSettings)[number];

/** The settings that the operator gives a client. */
export interface ClientSettings {
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly backchannelLogoutUri: string | undefined;
  /** The page that users open to begin. Undefined: the home page does not show the application. */
  readonly clientUri: string | undefined;
  /** True if the application is the operator's own. Users are then not asked for consent. */
  readonly own: boolean;
  /** True if the client may use the device flow (RFC 8628). */
  readonly device: boolean;
  /** True if every sign-in needs a second factor (`urn:janua:2fa`). */
  readonly secondFactor: boolean;
  /** Groups whose members alone may use the application. Empty: every user may. */
  readonly groups: readonly string[];
  /** A public client counts as `required`, whatever this says. */
  readonly pkce: PkceSetting;
  /** The algorithm that signs its ID tokens and logout tokens. */
  readonly idTokenAlg: Signature;
  /** The grant of a program that acts as itself. Undefined for a client that signs users in. */
  readonly machine: Machine | undefined;
  /** Workloads of other issuers whose tokens prove the program. */
  readonly trusts: readonly Trust[];
  /** The claims that it gets besides those of scopes, or in place of them. */
  readonly claims: readonly ClientClaim[];
  /** Public keys whose private halves prove the client. With keys, no secret of the client counts. */
  readonly jwks: readonly UsableKey[];
  /** The address at which the client publishes such keys, in place of `jwks`. */
  readonly jwksUri: string | undefined;
  /** True if each sign-in needs a pushed request (RFC 9126). */
  readonly pushedRequests: boolean;
  /** True if each token of the client has to be bound to a key by a proof (DPoP, RFC 9449). */
  readonly boundTokens: boolean;
  /** The hash of the picture that users see beside the name. Undefined for a client without one, and for each new one. */
  readonly picture: string | undefined;
}

/** The settings of a new client, unless the operator says otherwise. */
export const defaultSettings: ClientSettings = {
  name: '',
  redirectUris: [],
  postLogoutRedirectUris: [],
  backchannelLogoutUri: undefined,
  clientUri: undefined,
  own: false,
  device: false,
  secondFactor: false,
  groups: [],
  pkce: 'nonce',
  idTokenAlg: 'RS256',
  machine: undefined,
  trusts: [],
  claims: [],
  jwks: [],
  jwksUri: undefined,
  pushedRequests: false,
  boundTokens: false,
  picture: undefined,
};

/**
 * Changes of the settings. A change of a part of a program's grant keeps the other parts if the same administrator, or a command, gave them.
 * Otherwise, an administrator would grant anew what another one has granted, who may have lost the right to do so.
 */
export type ClientChanges = Partial<Omit<ClientSettings, 'machine' | 'picture'>> & {
  readonly machine?: Partial<Machine> | undefined;
  readonly picture?: Picture | undefined;
};

export const withChanges = <Settings extends ClientSettings>(client: Settings, changes: ClientChanges): Settings => ({
  ...client,
  ...changes,
  machine: 'machine' in changes ? changes.machine && grantAnew(client.machine, changes.machine) : client.machine,
  picture: 'picture' in changes ? changes.picture?.hash : client.picture,
});

function grantAnew(present: Machine | undefined, changes: Partial<Machine>): Machine | undefined {
  const { grantedBy, ...parts } = changes;
  const named = Object.values(parts);
  // Empty lists take nothing from an application, and do not make it a program.
  if (present === undefined && named.length > 0 && named.every(isEmpty)) return undefined;
  return { ...{ scopes: [], within: [], may: {} }, ...(present?.grantedBy === grantedBy && present), ...changes };
}

const isEmpty = (part: object): boolean => Object.keys(part).length === 0;

/** Tells whether the client can sign users in. A program cannot, nor a former one. */
export const signsUsersIn = ({ redirectUris, device }: Pick<ClientSettings, 'redirectUris' | 'device'>): boolean =>
  redirectUris.length > 0 || device;

/** Tells whether the client is a program, or was: its secrets would be those of a program again, once it has a grant again. */
export const isProgram = (client: Pick<ClientSettings, 'redirectUris' | 'device' | 'machine'>): boolean =>
  client.machine !== undefined || !signsUsersIn(client);

/** An application that signs its users in here, or a program that acts as itself. */
export interface Client extends ClientSettings {
  /** The `client_id`: random, or given when the client was added. */
  readonly id: string;
  /** Undefined for a public client. A confidential client may have none, and cannot get tokens then. */
  readonly secrets: readonly ClientSecret[] | undefined;
  readonly createdAt: Date;
  /** The name of the file of `janua apply` that added the client. Undefined for one that was added otherwise. */
  readonly appliedBy: string | undefined;
}

export interface NewClient extends ClientSettings {
  /** True if the client can keep no secret (RFC 6749 2.1). */
  readonly isPublic: boolean;
  /** The `client_id`. Undefined: a random one. */
  readonly id?: string | undefined;
  /** The secrets of a confidential client. Undefined: a new one. */
  readonly secrets?: readonly ClientSecret[] | undefined;
  readonly appliedBy?: string | undefined;
}

/** Throws unless the client may be changed. The error rolls the transaction back. */
type Judge = (client: ClientSettings) => void;

/** Records a change in its transaction. */
type RecordIn = (db: Database, client: Client) => Promise<void>;

const recordNothing: RecordIn = async () => {};

/** Every method throws `Unavailable` when the database cannot be reached. */
export type Clients = ReturnType<typeof createClients>;

/** Tells whether a text has the shape of a random id. */
export const isRandomId = (text: string): boolean => /^[\w-]{22}$/.test(text);

/** Tells whether a text may be the id of a client. Others are not looked up, because PostgreSQL refuses a text that contains U+0000. */
const isClientId = (text: string): boolean => /^[\w-][\w.-]{0,127}$/.test(text);

/** The part of a client that pages of users and groups show. */
type NamedClient = Pick<Client, 'id' | 'name' | 'groups' | 'clientUri' | 'picture'>;

/**
 * Milliseconds for which one list of names serves the pages of all users. The rows of 1,000 clients may have 27 MB, too much to read for
 * each page.
 */
const namesLifetime = 1000;

/** Stores clients by id, and only the hash of a secret. @param now milliseconds since 1970 */
export function createClients({ database, prepareLookup }: OpenDatabase, now: () => number) {
  const rows = database.selectFrom('janua_clients').selectAll();
  const findRow = prepareLookup((id) => rows.where('id', '=', id), 'id');

  /** Lists all clients by name. */
  const list = async (): Promise<Client[]> => (await rows.orderBy('name').orderBy('id').execute()).map(toClient);

  const names = shareAnswer(async () => (await list()).map(toNamed), namesLifetime, now);

  /** Shows a change in the list of names. To read all clients again for each change would hold up other requests. */
  async function showChange(id: string): Promise<void> {
    const changed = await find(id);
    names.adapt((former) =>
      [...former.filter((client) => client.id !== id), ...(changed === undefined ? [] : [toNamed(changed)])].sort(
        byName,
      ),
    );
  }

  async function readPage(limit: number, [name, id]: readonly string[] = []): Promise<Client[]> {
    const page = rows.orderBy('name').orderBy('id').limit(limit);
    if (name === undefined || id === undefined) return (await page.execute()).map(toClient);
    const further = page.where((or) => or.or([or('name', '>', name), or('name', '=', name).and('id', '>', id)]));
    return (await further.execute()).map(toClient);
  }

  /**
   * Lists a page of clients, by name.
   * @param after name and id of the last client on the page before @param isSeen leaves out clients, before the page is cut
   */
  async function findPage(
    limit: number,
    after: readonly string[] | undefined,
    isSeen: (client: Client) => boolean,
    step = limit,
  ): Promise<Client[]> {
    const page = await readPage(step, after);
    const seen = page.filter(isSeen).slice(0, limit);
    const last = page.length < step || seen.length === limit ? undefined : page.at(-1);
    if (last === undefined) return seen;
    return [...seen, ...(await findPage(limit - seen.length, [last.name, last.id], isSeen, mostRows))];
  }

  async function find(id: string): Promise<Client | undefined> {
    if (!isClientId(id)) return undefined;
    const [row] = await findRow(id);
    return row && toClient(row);
  }

  /** Locks a client for a change that `judge` allows. Undefined if no client has that id. */
  async function hold<Result>(id: string, judge: Judge, work: (client: Client, db: Database) => Promise<Result>) {
    if (!isClientId(id)) return undefined;
    const made = await inTransactionOn(database, { rows: [id] }, async (db) => {
      // Locks the row for this database server. The other servers of a Galera cluster notice only a change of the row, so `work` has to
      // make one.
      await db.updateTable('janua_clients').set({ id }).where('id', '=', id).execute();
      const row = await db.selectFrom('janua_clients').selectAll().where('id', '=', id).executeTakeFirst();
      if (row === undefined) return undefined;
      const client = toClient(row);
      judge(client);
      return work(client, db);
    });
    await showChange(id);
    return made;
  }

  return {
    find,

    list,

    /** Lists the names of all clients, sorted. Changes by another process may show a second late. */
    listNames: names.get,

    findPage,

    exist: async (): Promise<boolean> => (await rows.limit(1).executeTakeFirst()) !== undefined,

    /**
     * Adds a client. Its secret, which cannot be read again, is undefined for a public client, for one with trusts, and for one that is given.
     * @throws {ChangeRefused} `too-many-kept`
     */
    async add(
      { isPublic, id = createSessionId(), secrets: given, appliedBy, ...settings }: NewClient,
      recordIn = recordNothing,
    ): Promise<{ client: Client; secret: string | undefined }> {
      const time = now();
      // Keys, or the tokens of another issuer, take the place of a secret, so that there is none to lose.
      const isProved = settings.trusts.length > 0 || hasKeys(settings);
      const needsSecret = !isPublic && given === undefined && !isProved;
      const made = needsSecret ? createClientSecret({ name: firstSecret }, time) : undefined;
      const row = {
        id,
        secrets: isPublic ? null : JSON.stringify(given ?? (made === undefined ? [] : [made.secret])),
        // A picture has a row of its own, which a change adds.
        ...toColumns({ ...settings, picture: undefined }),
        created_at: time,
        applied_by: appliedBy ?? null,
      };
      const client = toClient(row);
      await inGroupsTransaction(database, async (db) => {
        await db.insertInto('janua_clients').values(row).execute();
        await limitRows(db, 'janua_clients', undefined, row.created_at);
        await recordIn(db, client);
      });
      await showChange(client.id);
      return { client, secret: made?.text };
    },

    /** Returns the changed client. Undefined if no client has that id. */
    change: (
      id: string,
      changes: ClientChanges,
      judge: Judge = () => {},
      recordIn = recordNothing,
    ): Promise<Client | undefined> =>
      hold(id, judge, async (client, db) => {
        const made = withChanges(client, changes);
        judge(made);
        if (isDeepStrictEqual(made, client)) return client;
        await recordIn(db, made);
        await db.updateTable('janua_clients').set(toColumns(made)).where('id', '=', id).execute();
        if ('picture' in changes) await replacePicture(db, id, changes.picture);
        return made;
      }),

    /** False if there is no client with that id. */
    remove: async (id: string, judge: Judge = () => {}, recordIn = recordNothing): Promise<boolean> =>
      (await hold(id, judge, async (client, db) => {
        await recordIn(db, client);
        await replacePicture(db, id, undefined);
        return countDeleted(db.deleteFrom('janua_clients').where('id', '=', id));
      })) === 1,

    /**
     * Changes the secrets of a client.
     * @param change returns the new list. Its error undoes the change
     * @returns the changed client. Undefined for a public client, or if no client has that id
     */
    changeSecrets: (
      id: string,
      change: (present: readonly ClientSecret[]) => readonly ClientSecret[],
      judge: Judge = () => {},
      recordIn = recordNothing,
    ): Promise<Client | undefined> =>
      hold(id, judge, async (client, db) => {
        if (client.secrets === undefined) return undefined;
        const secrets = change(client.secrets);
        await recordIn(db, client);
        await db
          .updateTable('janua_clients')
          .set({ secrets: JSON.stringify(secrets) })
          .where('id', '=', id)
          .execute();
        return { ...client, secrets };
      }),

    /** Notes that a secret was used. A change of the secrets at the same time wins. Never fails. */
    async noteUse({ id, secrets }: Pick<Client, 'id' | 'secrets'>, name: string): Promise<void> {
      const noted = withUse(secrets ?? [], { name, time: now() });
      if (noted === undefined) return;
      await database
        .updateTable('janua_clients')
        .set({ secrets: JSON.stringify(noted) })
        .where('id', '=', id)
        .where('secrets', '=', JSON.stringify(secrets))
        .execute()
        .catch(() => {});
    },
  };
}

const toNamed = ({ id, name, groups, clientUri, picture }: Client): NamedClient => ({
  ...{ id, name, groups, clientUri, picture },
});

const byName = (one: NamedClient, other: NamedClient) =>
  one.name === other.name ? (one.id < other.id ? -1 : 1) : one.name < other.name ? -1 : 1;

/** Returns only the settings, because `client` may have other fields. */
function toColumns({ name, ...client }: ClientSettings) {
  const settings = Object.entries(client).filter(([key]) => key in defaultSettings);
  return { name, settings: JSON.stringify(Object.fromEntries(settings)) };
}

export function toClient(row: Row<'janua_clients'>): Client {
  type Later =
    | 'backchannelLogoutUri'
    | 'clientUri'
    | 'pkce'
    | 'idTokenAlg'
    | 'machine'
    | 'trusts'
    | 'claims'
    | 'jwks'
    | 'jwksUri'
    | 'pushedRequests'
    | 'boundTokens'
    | 'picture';
  const settings: Omit<ClientSettings, 'name' | Later> & Partial<Pick<ClientSettings, Later>> = JSON.parse(
    row.settings,
  );
  return {
    id: row.id,
    name: row.name,
    secrets: readSecrets(row.secrets),
    ...settings,
    backchannelLogoutUri: settings.backchannelLogoutUri,
    clientUri: settings.clientUri,
    machine: settings.machine,
    trusts: settings.trusts ?? [],
    claims: settings.claims ?? [],
    jwks: settings.jwks ?? [],
    jwksUri: settings.jwksUri,
    pushedRequests: settings.pushedRequests ?? false,
    boundTokens: settings.boundTokens ?? false,
    picture: settings.picture,
    // A client that was added before this setting existed keeps the rule of that time.
    pkce: settings.pkce ?? 'required',
    idTokenAlg: settings.idTokenAlg === 'ES256' ? 'ES256' : 'RS256',
    createdAt: new Date(Number(row.created_at)),
    appliedBy: row.applied_by ?? undefined,
  };
}
