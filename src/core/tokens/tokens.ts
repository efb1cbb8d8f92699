import type { Selectable } from 'kysely';
import type { Database } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import { sql } from '../../ground/database/kysely.ts';
import type { TokensTable } from '../../ground/database/schema.ts';
import { createSecret, hashSecret } from '../sessions/credential.ts';
import { limitRows } from '../users/row-limits.ts';

/** The permission that a one-time token gives to its holder. */
export interface OneTimeToken {
  /** The allowed action, such as `reset-password`. */
  readonly purpose: string;
  /** Undefined if there is no account yet. */
  readonly userId: string | undefined;
  /** The address that the token was sent to. */
  readonly address: string;
  /** The account's stamp when the token was made. If any program changes the account, its stamp differs, and the token is void. */
  readonly stamp?: string | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The link by which the user joins (`core/users/invite-links.ts`). */
  readonly inviteLinkId?: string | undefined;
}

export type Tokens = ReturnType<typeof createTokens>;

/**
 * One-time tokens: 256 random bits that work once, for one purpose, until they expire (ASVS 6.4.1). Only their hash is stored.
 * Every method throws `Unavailable` when the database cannot be reached. `db` may be the transaction of a change that uses the token.
 */
export function createTokens(database: Database, now: () => number = Date.now) {
  const living = (secret: string) => ({ hash: hashSecret(secret), time: now() });

  /** Finds the permission of a token, without consuming it. Undefined if the token is unknown, used, expired or for another purpose. */
  async function find(purpose: string, secret: string): Promise<OneTimeToken | undefined> {
    const { hash, time } = living(secret);
    const row = await database.selectFrom('janua_tokens').selectAll().where('hash', '=', hash).executeTakeFirst();
    const isGood = row !== undefined && row.purpose === purpose && Number(row.expires_at) > time;
    return isGood ? fromRow(row) : undefined;
  }

  return {
    find,

    /** Makes a token, and returns its secret. The secret is not stored, so it is known only now. */
    async issue(
      { purpose, userId, address, stamp, expiresAt, inviteLinkId }: OneTimeToken,
      db = database,
    ): Promise<string> {
      const secret = createSecret();
      const about = { purpose, user_id: userId ?? null, address, stamp: stamp ?? null };
      const row = { ...about, hash: hashSecret(secret), expires_at: expiresAt, invite_link_id: inviteLinkId ?? null };
      await db.insertInto('janua_tokens').values(row).execute();
      // Each purpose has its own limit. With a shared one, many links to a new address would push out the link of a reset, which expires
      // first.
      const alike = sql<boolean>`purpose = ${purpose}`;
      if (userId !== undefined) await limitRows(db, 'janua_tokens', { id: userId }, now(), alike);
      return secret;
    },

    /** Uses a token up. Of several simultaneous calls, only one gets true. False if `find` would not find the token. */
    async consume(purpose: string, secret: string, db = database): Promise<boolean> {
      const { hash, time } = living(secret);
      const token = db.deleteFrom('janua_tokens').where('hash', '=', hash).where('purpose', '=', purpose);
      return (await countDeleted(token.where('expires_at', '>', time))) === 1;
    },

    /**
     * Marks a signed text as used until it expires. False if it was used already: of several simultaneous calls, only one gets true. Do not
     * call it in a transaction, because PostgreSQL aborts the transaction at the second use.
     */
    markUsed: (purpose: string, signed: string, expiresAt: number): Promise<boolean> =>
      insertNew(
        database
          .insertInto('janua_tokens')
          .values({ hash: hashSecret(signed), purpose, user_id: null, address: '', expires_at: expiresAt }),
      ),

    /** Deletes the tokens of a user for one purpose. */
    async endOf(purpose: string, userId: string, db = database): Promise<void> {
      const own = db.deleteFrom('janua_tokens').where('user_id', '=', userId);
      await own.where('purpose', '=', purpose).execute();
    },

    /** Lists the unexpired tokens of a user. */
    async listOf(userId: string, db = database): Promise<OneTimeToken[]> {
      const own = db.selectFrom('janua_tokens').selectAll().where('user_id', '=', userId);
      return (await own.where('expires_at', '>', now()).execute()).map(fromRow);
    },
  };
}

function fromRow({
  purpose,
  user_id,
  address,
  stamp,
  expires_at,
  invite_link_id,
}: Selectable<TokensTable>): OneTimeToken {
  const about = { purpose, userId: user_id ?? undefined, address, stamp: stamp ?? undefined };
  return { ...about, expiresAt: Number(expires_at), ...(invite_link_id && { inviteLinkId: invite_link_id }) };
}
