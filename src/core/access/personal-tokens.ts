import type { Selectable } from 'kysely';
import type { OpenDatabase } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { type AccessTokensTable, rows } from '../../ground/database/schema.ts';
import { createSecret, createSessionId, hashSecret, isSame } from '../sessions/credential.ts';
import type { Session } from '../sessions/sessions.ts';
import { type Account, hasForeignPassword, stampOf } from '../users/account.ts';
import { type AccountJoin, prepareWithAccount } from '../users/account-join.ts';
import type { Held } from '../users/held.ts';
import { limitRows } from '../users/row-limits.ts';
import { readNames } from '../users/scopes.ts';
import { noteFirstPassword } from '../users/source/adoption.ts';
import type { User } from '../users/user.ts';

const { crc32 } = process.getBuiltinModule('node:zlib');

const prefix = 'janua_pat_';
const shape = /^([\w-]{22})\.([\w-]{43})([\w-]{6})$/;
const dayMilliseconds = 86_400_000;
/** The shortest time between two writes of the last use, in milliseconds. */
const noteMilliseconds = 60_000;

export const isPersonalToken = (text: string | undefined): boolean => text?.startsWith(prefix) ?? false;

export interface PersonalToken {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** The only host that takes the token, such as `https://dav.example.com`. Undefined for a token of the API. */
  readonly host: string | undefined;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly lastUsedAt: Date | undefined;
  readonly lastUsedAddress: string | undefined;
}

export type PersonalTokens = ReturnType<typeof createPersonalTokens>;

interface PersonalTokenOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly accounts: AccountJoin;
}

/** Returns a checksum, by which a secret scanner tells a token from a text that looks like one, without asking the server. */
function checksumOf(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return bytes.toString('base64url');
}

/**
 * Tokens that users make for their programs. They carry scopes, and end at a time that their owner chooses. Only a hash is stored. A token
 * for a host behind forward authentication has the host in place of scopes. Its hash covers the host, so it matches nowhere else.
 */
export function createPersonalTokens(opened: OpenDatabase, { now, accounts }: PersonalTokenOptions) {
  const { database } = opened;
  const tokens = database.selectFrom('janua_access_tokens');
  const lookUp = prepareWithAccount<Row>(opened, 'janua_access_tokens', columns, accounts);

  return {
    /**
     * Finds the account and the scopes of a valid token. A token has no session. The returned `session` was never authenticated, so that
     * code that requires a fresh proof refuses it.
     * @param addressOf returns the client's address. Called only if the use is stored
     * @param host that the token must have been made for. Default: a token of the API
     */
    async find(text: string, addressOf: () => string | undefined, host?: string) {
      const [, id = '', secret = '', checksum = ''] = shape.exec(text.slice(prefix.length)) ?? [];
      if (!isPersonalToken(text) || id === '' || !isSame(checksum, checksumOf(`${prefix}${id}.${secret}`)))
        return undefined;
      const found = await lookUp(id);
      if (found?.account === undefined || !isSame(hashOf(secret, host), found.row.hash)) return undefined;
      const { row, account } = found;
      const time = now();
      if (account.disabled || hasForeignPassword(account) || Number(row.expires_at) <= time) return undefined;
      if (time - Number(row.last_used_at ?? 0) >= noteMilliseconds) {
        const used = { last_used_at: time, last_used_address: addressOf() ?? null };
        // The token stays valid even if its use cannot be stored.
        await database
          .updateTable('janua_access_tokens')
          .set(used)
          .where('id', '=', id)
          .execute()
          .catch(() => {});
      }
      return { account, scope: row.scope, session: sessionOf(row, account, time) };
    },

    /**
     * @param scopes must all belong to the credential of the request. None for a token with a `host`
     * @returns the token, which cannot be shown again
     * @throws {ChangeRefused} `too-many-kept` beyond the limit in `ground/database/tables.ts`
     */
    async create(
      { account, user, db }: Held,
      {
        name,
        scopes,
        host,
        days,
      }: Pick<PersonalToken, 'name' | 'scopes'> & { readonly host?: string | undefined; readonly days: number },
    ) {
      const [id, secret, time] = [createSessionId(), createSecret(), now()];
      // Tokens are refused once the password differs from the noted one. For an account of version 0.2, none may be noted yet.
      if (account.passwordPrint === null) await noteFirstPassword(db, user.id, account);
      const expiresAt = time + days * dayMilliseconds;
      await db
        .insertInto('janua_access_tokens')
        .values({
          id,
          user_id: user.id,
          hash: hashOf(secret, host),
          name,
          scope: host ?? scopes.join(' '),
          created_at: time,
          expires_at: expiresAt,
        })
        .execute();
      await limitRows(db, 'janua_access_tokens', user, time);
      const text = `${prefix}${id}.${secret}`;
      return { id, token: `${text}${checksumOf(text)}`, expiresAt: new Date(expiresAt) };
    },

    /** Lists the tokens of a user that have not expired, the newest first. */
    async list(user: User): Promise<PersonalToken[]> {
      const living = tokens.selectAll().where('user_id', '=', user.id);
      return (await living.where('expires_at', '>', now()).orderBy('created_at', 'desc').execute()).map(fromRow);
    },

    /** Returns false if the user has no such token. */
    async end(user: User, id: string, db = database): Promise<boolean> {
      const one = db.deleteFrom('janua_access_tokens').where('id', '=', id).where('user_id', '=', user.id);
      return (await countDeleted(one)) > 0;
    },

    async endAllOf({ user, db }: Held): Promise<void> {
      await db.deleteFrom('janua_access_tokens').where('user_id', '=', user.id).execute();
    },
  };
}

type Row = Selectable<AccessTokensTable>;

/** A token of the API has the hash of its secret alone, as in version 0.2. The secret has a fixed length, so no two inputs are the same. */
const hashOf = (secret: string, host = '') => hashSecret(host + secret);

const columns = Object.keys(rows.janua_access_tokens) as (keyof Row)[];

function sessionOf({ id, user_id, scope, created_at, expires_at }: Row, account: Account, time: number): Session {
  return {
    id,
    userId: user_id,
    stamp: stampOf(account),
    cookieHash: '',
    tokenHash: '',
    tokenScope: scope,
    createdAt: Number(created_at),
    lastSeenAt: time,
    expiresAt: Number(expires_at),
    authenticatedAt: 0,
    methods: [],
    userAgent: undefined,
    address: undefined,
    remembered: false,
  };
}

/** No scope of a group has a slash, so a host is no scope. */
const isHost = (scope: string) => scope.includes('://');

const fromRow = (row: Row): PersonalToken => ({
  id: row.id,
  name: row.name,
  scopes: isHost(row.scope) ? [] : readNames(row.scope),
  host: isHost(row.scope) ? row.scope : undefined,
  createdAt: new Date(Number(row.created_at)),
  expiresAt: new Date(Number(row.expires_at)),
  lastUsedAt: row.last_used_at === null ? undefined : new Date(Number(row.last_used_at)),
  lastUsedAddress: row.last_used_address ?? undefined,
});
