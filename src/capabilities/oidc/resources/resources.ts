import { createSecret, createSessionId, hashSecret } from '../../../core/sessions/credential.ts';
import { inGroupsTransaction } from '../../../core/users/groups.ts';
import { limitRows } from '../../../core/users/row-limits.ts';
import { readNames } from '../../../core/users/scopes.ts';
import type { Database } from '../../../ground/database/database.ts';
import { countDeleted } from '../../../ground/database/deletions.ts';
import { insertNew } from '../../../ground/database/insert-new.ts';
import type { Row } from '../../../ground/database/schema.ts';
import { inTransactionOn } from '../../../ground/database/transaction.ts';
import { isRandomId } from '../clients/clients.ts';
import { isResourceUri } from '../clients/uri-rules.ts';
import type { Signature } from '../keys/signing-keys.ts';

/** The scopes for which a resource may exchange its tokens (RFC 8693), by the addresses of other resources. */
export type Exchanges = Readonly<Record<string, readonly string[]>>;

/** A server that accepts access tokens of the provider (RFC 8707). */
export interface NewResource {
  /** Its resource indicator, which is the audience of its tokens. */
  readonly uri: string;
  readonly scopes: readonly string[];
  /** Format of its tokens: opaque, or signed (`at+jwt`, RFC 9068). */
  readonly tokenFormat: 'opaque' | 'jwt';
  /** Algorithm of its signed tokens. */
  readonly alg: Signature;
  /** Default: none. */
  readonly exchanges?: Exchanges;
  /** The name of the file of `janua apply` that added the resource. Undefined for one that was added otherwise. */
  readonly appliedBy?: string | undefined;
}

/** The settings that can be changed. */
export type ResourceSettings = Pick<NewResource, 'scopes' | 'tokenFormat' | 'alg' | 'exchanges'>;

export interface Resource extends NewResource {
  readonly exchanges: Exchanges;
  /** The client id with which it asks about its tokens (RFC 7662). Undefined if it has no secret. */
  readonly clientId: string | undefined;
}

/** The credentials with which a resource asks about a token. */
export interface ResourceCredentials {
  readonly uri: string;
  readonly clientId: string;
  readonly secretHash: string;
}

/** Every method throws `Unavailable` when the database cannot be reached. */
export type Resources = ReturnType<typeof createResources>;

/** Records a change in its transaction. */
type RecordIn = (db: Database) => Promise<void>;

const recordNothing: RecordIn = async () => {};

/** @param now milliseconds since 1970 */
export function createResources(database: Database, now: () => number) {
  const rows = database.selectFrom('janua_resources').selectAll();

  return {
    /** Finds a resource. A host without a path is found with and without a slash at the end (RFC 3986 6.2.3). */
    async find(uri: string): Promise<Resource | undefined> {
      // Addresses that no resource can have are not looked up, because PostgreSQL refuses a text that contains U+0000.
      if (!isResourceUri(uri)) return undefined;
      const spellings = new URL(uri).pathname === '/' ? [uri, uri.endsWith('/') ? uri.slice(0, -1) : `${uri}/`] : [uri];
      const found = await rows.where('uri', 'in', spellings).execute();
      const row = spellings.flatMap((spelling) => found.find((one) => one.uri === spelling) ?? [])[0];
      return row && fromRow(row);
    },

    list: async (): Promise<Resource[]> => (await rows.orderBy('uri').execute()).map(fromRow),

    /** Lists a page of resources, by URI. @param after the URI of the last resource on the page before */
    async findPage(limit: number, after: string | undefined): Promise<Resource[]> {
      const page = rows.orderBy('uri').limit(limit);
      return (await (after === undefined ? page : page.where('uri', '>', after)).execute()).map(fromRow);
    },

    /** False if a resource with that URI exists already. @throws {ChangeRefused} `too-many-kept` */
    add: ({ uri, appliedBy, ...settings }: NewResource, recordIn = recordNothing): Promise<boolean> =>
      insertNew({
        execute: () =>
          inGroupsTransaction(database, async (db) => {
            const row = { uri, ...toColumns(settings), created_at: now(), applied_by: appliedBy };
            await db.insertInto('janua_resources').values(row).execute();
            await limitRows(db, 'janua_resources', undefined, row.created_at);
            await recordIn(db);
          }),
      }),

    /** False if no resource has that URI. @param uri spelled as it was added */
    change: (uri: string, changed: ResourceSettings, recordIn = recordNothing): Promise<boolean> =>
      inTransactionOn(database, { rows: [uri] }, async (db) => {
        const update = db.updateTable('janua_resources').set(toColumns(changed)).where('uri', '=', uri);
        if ((await update.executeTakeFirst()).numUpdatedRows === 0n) return false;
        await recordIn(db);
        return true;
      }),

    async findCredentials(clientId: string): Promise<ResourceCredentials | undefined> {
      if (!isRandomId(clientId)) return undefined;
      const row = await rows.where('client_id', '=', clientId).executeTakeFirst();
      return row?.secret_hash ? { uri: row.uri, clientId, secretHash: row.secret_hash } : undefined;
    },

    /**
     * Gives a resource a new secret, which cannot be read again, and a client id unless it has one. Undefined if no resource has that URI.
     * @param uri spelled as it was added
     */
    setSecret: (uri: string, recordIn = recordNothing): Promise<{ clientId: string; secret: string } | undefined> =>
      inTransactionOn(database, { rows: [uri] }, async (db) => {
        const secret = createSecret();
        await db
          .updateTable('janua_resources')
          .set(({ fn, val }) => ({
            client_id: fn.coalesce('client_id', val(createSessionId())),
            secret_hash: hashSecret(secret),
          }))
          .where('uri', '=', uri)
          .execute();
        const own = db.selectFrom('janua_resources').select('client_id').where('uri', '=', uri);
        const clientId = (await own.executeTakeFirst())?.client_id ?? undefined;
        if (clientId === undefined) return undefined;
        await recordIn(db);
        return { clientId, secret };
      }),

    /** False if no resource has that URI. */
    remove: async (uri: string, recordIn = recordNothing): Promise<boolean> =>
      isResourceUri(uri) &&
      inTransactionOn(database, { rows: [uri] }, async (db) => {
        if ((await countDeleted(db.deleteFrom('janua_resources').where('uri', '=', uri))) === 0) return false;
        await recordIn(db);
        return true;
      }),
  };
}

const toColumns = ({ scopes, tokenFormat, alg, exchanges = {} }: ResourceSettings) => ({
  scopes: scopes.join(' '),
  token_format: tokenFormat,
  alg,
  exchanges: Object.keys(exchanges).length === 0 ? null : JSON.stringify(exchanges),
});

const fromRow = ({ uri, scopes, token_format, alg, client_id, ...row }: Row<'janua_resources'>): Resource => ({
  uri,
  scopes: readNames(scopes),
  tokenFormat: token_format === 'jwt' ? 'jwt' : 'opaque',
  alg: alg === 'RS256' ? 'RS256' : 'ES256',
  clientId: client_id ?? undefined,
  appliedBy: row.applied_by ?? undefined,
  exchanges: row.exchanges === null ? {} : JSON.parse(row.exchanges),
});
