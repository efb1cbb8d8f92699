import type { Database } from '../database/database.ts';
import { countDeleted } from '../database/deletions.ts';
import { insertNew } from '../database/insert-new.ts';
import type { Row } from '../database/schema.ts';
import { readNames } from '../users/scopes.ts';
import { isResourceUri } from './addresses.ts';

/** A server that accepts access tokens of the provider (RFC 8707). */
export interface Resource {
  /** Its resource indicator, which is the audience of its tokens. */
  readonly uri: string;
  readonly scopes: readonly string[];
  /** Whether its tokens are opaque or signed (`at+jwt`, RFC 9068). */
  readonly tokenFormat: 'opaque' | 'jwt';
}

/** Every method throws `Unavailable` when the database cannot be reached. */
export type Resources = ReturnType<typeof createResources>;

/** @param now milliseconds since 1970 */
export function createResources(database: Database, now: () => number) {
  const rows = database.selectFrom('janua_resources').selectAll();

  return {
    /** A host without a path is found with and without a slash at the end (RFC 3986 6.2.3). */
    async find(uri: string): Promise<Resource | undefined> {
      // What cannot be stored is not looked up: not every database compares U+0000.
      if (!isResourceUri(uri)) return undefined;
      const spellings = new URL(uri).pathname === '/' ? [uri, uri.endsWith('/') ? uri.slice(0, -1) : `${uri}/`] : [uri];
      const found = await rows.where('uri', 'in', spellings).execute();
      const row = spellings.flatMap((spelling) => found.find((one) => one.uri === spelling) ?? [])[0];
      return row && fromRow(row);
    },

    list: async (): Promise<Resource[]> => (await rows.orderBy('uri').execute()).map(fromRow),

    /** False if there is one with that URI already. */
    add: ({ uri, scopes, tokenFormat }: Resource): Promise<boolean> =>
      insertNew(
        database
          .insertInto('janua_resources')
          .values({ uri, scopes: scopes.join(' '), token_format: tokenFormat, created_at: now() }),
      ),

    /** False if there is none with that URI. */
    remove: async (uri: string): Promise<boolean> =>
      isResourceUri(uri) && (await countDeleted(database.deleteFrom('janua_resources').where('uri', '=', uri))) > 0,
  };
}

const fromRow = ({ uri, scopes, token_format }: Row<'janua_resources'>): Resource => ({
  uri,
  scopes: readNames(scopes),
  tokenFormat: token_format === 'jwt' ? 'jwt' : 'opaque',
});
