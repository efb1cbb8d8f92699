import { createHmac } from 'node:crypto';
import { createSecret } from '../../../core/sessions/credential.ts';
import type { Account } from '../../../core/users/account.ts';
import type { OpenDatabase } from '../../../ground/database/database.ts';
import { countDeleted } from '../../../ground/database/deletions.ts';
import { insertNew } from '../../../ground/database/insert-new.ts';
import type { NewRow, Row } from '../../../ground/database/schema.ts';
import { inTransaction } from '../../../ground/database/transaction.ts';
import { makeRoom, partyOf } from '../sign-in/room-limits.ts';
import { createGrantRecords } from './grant-records.ts';
import {
  createRecordRows,
  emptyRow,
  type FoundRecord,
  familyKeyOf,
  familyLength,
  hasFamily,
  keyOf,
  ownIdPlaceholder,
  type Payload,
  table,
  unusedMilliseconds,
} from './record-rows.ts';

export interface RecordOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The key from which the successor of a refresh token is derived. */
  readonly key: Buffer;
  /** Finds the id of the user whom applications know by this subject. */
  readonly userIdOf: (subject: string) => Promise<string | undefined>;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly isAlive: (sessionId: string) => Promise<boolean>;
  /** Lists the living sessions of an account. */
  readonly listSessions: (account: Account) => Promise<readonly { readonly id: string }[]>;
}

/** Thrown if a code or token was used already. Everything that came from it has been revoked. */
export class AlreadyUsed extends Error {
  override readonly name = 'AlreadyUsed';
}

/** Thrown if a device asks more often than every five seconds (RFC 8628 3.5). */
export class PolledTooFast extends Error {
  override readonly name = 'PolledTooFast';
}

/**
 * Milliseconds after its first use in which a refresh token returns the same successor again. Several processes of a client may share one
 * token.
 */
const graceMilliseconds = 10_000;

/** Milliseconds. A use that would prolong a grant by less is not stored, which saves a statement. */
const renewalMilliseconds = 3_600_000;

const pollMilliseconds = 5000;

/** Kinds of records whose payload never changes. */
const kindsWithoutUpdate: ReadonlySet<string> = new Set([
  'AccessToken',
  'AuthorizationCode',
  'ClientCredentials',
  'RefreshToken',
  'PushedAuthorizationRequest',
]);

/** Milliseconds for which a used assertion is stored at least. */
const leastKept = 300_000;

export interface UsedAssertion {
  /** The id of the client, the issuer of a workload's token, or the kind of what counts once. */
  readonly issuer: string;
  readonly jti: string;
  /** Expiry of the assertion, in milliseconds since 1970. It may have a fraction. */
  readonly end: number;
  /** The client, host or network whose assertions are counted together. */
  readonly party: string;
}

/** A device's request that the user's decision has claimed (`takeDevice`). */
export interface TakenDevice {
  readonly id: string;
  readonly payload: string;
}

/** The rows that one statement has read for a token. The request with the token reads none of them again. */
export interface TokenRows {
  /** The token and its grant by the ids of their rows. The value undefined stands for a row that does not exist. */
  readonly records: ReadonlyMap<string, FoundRecord | undefined>;
  /** Undefined for a client of a metadata document, which has no row. */
  readonly client?: Row<'janua_clients'> | undefined;
  readonly subject?: Pick<Row<'janua_subjects'>, 'user_id' | 'subject'>;
}

const assertionKeyOf = (issuer: string, jti: string) => keyOf('Assertion', JSON.stringify([issuer, jti]));

export type Records = ReturnType<typeof createRecords>;

/**
 * Stores the records of the provider in the database. Only hashes are stored, so a thief of the database can use none of them. A
 * conditional update marks a code or token that may be used once. If several requests use it at the same time, one succeeds, and the others
 * revoke the grant (RFC 9700 4.5, 4.14.2).
 */
export function createRecords(opened: OpenDatabase, options: RecordOptions) {
  const { now, key, userIdOf } = options;
  const rows = createRecordRows(opened, options.findAccount);
  const { database, findRow, findToken, findByLookup, revoke, isStillValid, sessionsOfNew } = rows;
  const grants = createGrantRecords(rows, options);

  /** Creates the first refresh token of a sign-in. */
  const newRefreshToken = (): string => createSecret().slice(0, familyLength) + createSecret();

  /** Derives the refresh token that replaces another one. */
  const successorOf = (token: string): string =>
    token.slice(0, familyLength) + createHmac('sha256', key).update(token).digest('base64url');

  /** Deletes used refresh tokens after their grace (`graceMilliseconds`). `findUsed` still recognizes them by their family. */
  async function removeUsed(id: string): Promise<void> {
    // Reads first, to avoid a deadlock: a statement that deletes by another index could lock the rows in another order than the request
    // that stores the successor.
    const family = await findByLookup(familyKeyOf(id));
    const used = family.filter(
      (row) => row.consumed_at !== null && now() - Number(row.consumed_at) >= graceMilliseconds,
    );
    const ids = used.map((row) => row.id);
    if (ids.length > 0) await database.deleteFrom(table).where('id', 'in', ids).execute();
  }

  /**
   * Recognizes a refresh token that was used and deleted. Only a holder of a token of its family knows the prefix, so the token counts as
   * used again (RFC 9700 4.14.2).
   */
  async function findUsed(id: string): Promise<Payload | undefined> {
    const [living] = await findByLookup(familyKeyOf(id));
    return living && { ...toPayload(living, id), consumed: Math.floor(Number(living.created_at) / 1000) };
  }

  async function isInGrace(id: string, consumedAt: number): Promise<boolean> {
    if (now() - consumedAt >= graceMilliseconds) return false;
    const [successor] = await findRow(keyOf('RefreshToken', successorOf(id)));
    return successor === undefined || successor.consumed_at === null;
  }

  /** Allows one request in five seconds. @throws {PolledTooFast} */
  async function takePoll({ id }: FoundRecord): Promise<void> {
    const { numUpdatedRows } = await database
      .updateTable(table)
      .set({ polled_at: now() })
      .where('id', '=', id)
      .where((or) => or.or([or('polled_at', 'is', null), or('polled_at', '<=', now() - pollMilliseconds)]))
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw new PolledTooFast();
  }

  const toPayload = (row: FoundRecord, id: string): Payload => ({
    ...JSON.parse(row.payload.replaceAll(ownIdPlaceholder, id)),
    jti: id,
    exp: Math.floor(Number(row.expires_at) / 1000),
  });

  /** Returns the methods that the library expects, for the records of one kind. */
  const of = (model: string) => ({
    /**
     * @param subject the token that is exchanged for the new one (RFC 8693)
     * @throws {AlreadyUsed} if its grant, or the subject, was revoked meanwhile
     */
    async upsert(id: string, payload: Payload, seconds: number, subject?: string): Promise<void> {
      const { jti: _, userCode, grantId, accountId, clientId, party: __, ...rest } = payload;
      const grantKey = typeof grantId === 'string' && model !== 'Interaction' ? keyOf('Grant', grantId) : null;
      const isGrant = model === 'Grant';
      const changed = {
        payload: JSON.stringify({ ...rest, grantId, accountId, clientId }).replaceAll(id, ownIdPlaceholder),
        expires_at: now() + seconds * 1000,
      };
      if (!kindsWithoutUpdate.has(model)) {
        const update = database.updateTable(table).set(changed).where('id', '=', keyOf(model, id));
        if ((await update.executeTakeFirst()).numUpdatedRows > 0n) return;
      }
      const row: NewRow<typeof table> = {
        ...emptyRow,
        id: keyOf(model, id),
        model,
        ...changed,
        grant_id: grantKey,
        lookup:
          model === 'RefreshToken'
            ? familyKeyOf(id)
            : typeof userCode === 'string'
              ? keyOf('user code', userCode)
              : null,
        user_id: isGrant ? ((await userIdOf(String(accountId))) ?? null) : null,
        client_id: typeof clientId === 'string' ? clientId : null,
        session_id: (isGrant && sessionsOfNew.get(id)) || null,
        party: partyOf(model, payload) ?? null,
        created_at: now(),
      };
      if (isGrant) await rows.removeLeftovers(row.id);
      await insertNew(database.insertInto(table).values(row));
      if (row.party) await makeRoom(database, model, row.party);
      if (row.user_id) await grants.limitGrants(row.user_id);
      if (grantKey === null || !kindsWithoutUpdate.has(model)) return;
      const [grant] = await grants.findGrant(grantKey, model);
      // A revocation deletes the subject first, and then those of its grant that there are: it may have missed the new one.
      const isRevoked = subject !== undefined && (await findRow(keyOf(model, subject))).length === 0;
      if (grant === undefined || isRevoked) {
        await database.deleteFrom(table).where('id', '=', row.id).execute();
        throw new AlreadyUsed();
      }
      if (grant.excess !== null) await grants.limitOfGrant(grantKey, model);
      if (model !== 'RefreshToken' || grant.stamp === null) return;
      const until = now() + unusedMilliseconds;
      if (until - Number(grant.expires_at) < renewalMilliseconds) return;
      await database.updateTable(table).set({ expires_at: until }).where('id', '=', grantKey).execute();
    },

    /**
     * @param polls true if a device polls for its tokens @param read rows that the request has read with its token @throws {PolledTooFast}
     */
    async find(id: string, polls = false, read?: TokenRows): Promise<Payload | undefined> {
      const key = keyOf(model, id);
      const row = read?.records.has(key) ? read.records.get(key) : (await findRow(key))[0];
      // A used refresh token is found by its family. Refresh tokens of version 0.2 and tokens of other kinds have none.
      if (row === undefined) return model === 'RefreshToken' && hasFamily(id) ? findUsed(id) : undefined;
      if (!(await isStillValid(row))) {
        // The grant ends for good: a user who is enabled again has to allow the application again.
        await revoke([row.id]);
        return undefined;
      }
      if (polls) await takePoll(row);
      const payload = toPayload(row, id);
      if (row.consumed_at === null) return payload;
      if (model === 'RefreshToken' && (await isInGrace(id, Number(row.consumed_at)))) return payload;
      return { ...payload, consumed: Math.floor(Number(row.consumed_at) / 1000) };
    },

    /** Finds a device code by its user code. The payload lacks the device code itself, of which only a hash is stored. */
    async findByUserCode(userCode: string): Promise<Payload | undefined> {
      const [row] = await findByLookup(keyOf('user code', userCode));
      return row && { ...toPayload(row, ''), userCode, consumed: row.consumed_at ?? undefined };
    },

    /** Marks a record as used. @throws {AlreadyUsed} if it was used before: its grant is then revoked */
    async consume(id: string): Promise<void> {
      const one = database.updateTable(table).set({ consumed_at: now() }).where('id', '=', keyOf(model, id));
      if ((await one.where('consumed_at', 'is', null).executeTakeFirst()).numUpdatedRows > 0n) {
        if (model === 'RefreshToken') await removeUsed(id);
        return;
      }
      const [row] = await findRow(keyOf(model, id));
      const consumedAt = Number(row?.consumed_at ?? 0);
      if (row !== undefined && model === 'RefreshToken' && (await isInGrace(id, consumedAt))) return;
      if (row?.grant_id) await revoke([row.grant_id]);
      throw new AlreadyUsed();
    },

    /** False if the record did not exist, for example because another request has just deleted it. */
    destroy: async (id: string): Promise<boolean> =>
      (await countDeleted(database.deleteFrom(table).where('id', '=', keyOf(model, id)))) > 0,

    async revokeByGrantId(grantId: string): Promise<void> {
      const all = database.deleteFrom(table).where('grant_id', '=', keyOf('Grant', grantId));
      await all.where('model', '=', model).execute();
    },
  });

  return {
    of,
    newRefreshToken,
    successorOf,

    /**
     * Reads an access token or refresh token with its grant, its client and the subject of its user. Undefined without the grant or the
     * subject: the request then reads each row by itself.
     */
    async readToken(token: string): Promise<TokenRows | undefined> {
      const keys = { access: keyOf('AccessToken', token), refresh: keyOf('RefreshToken', token) };
      const key = hasFamily(token) ? keys.refresh : keys.access;
      const records = new Map<string, FoundRecord | undefined>([[key, undefined]]);
      const [found] = await findToken(key);
      if (found === undefined) return { records };
      const { id, payload, consumed_at, expires_at, stamp, user_id, grant_id, grant_payload, grant_expires_at } = found;
      const { client_id, name, secrets, settings, created_at, subject_user_id, subject } = found;
      // The query may have joined the row of another user, because some databases ignore case in comparisons.
      if (grant_id === null || subject === null || user_id === null || user_id !== subject_user_id) return undefined;
      const grant = { id: grant_id, payload: grant_payload, consumed_at: null, expires_at: grant_expires_at };
      const client = { id: client_id, name, secrets, settings, created_at };
      return {
        records: records
          .set(keys.access, undefined)
          .set(keys.refresh, undefined)
          // The library also looks for a program's token.
          .set(keyOf('ClientCredentials', token), undefined)
          .set(id, { ...emptyRow, id, payload, consumed_at, expires_at })
          .set(grant_id, { ...grant, stamp, user_id } as FoundRecord),
        client: client_id === null ? undefined : (client as Row<'janua_clients'>),
        subject: { user_id, subject },
      };
    },

    removeOfEnded: grants.removeOfEnded,
    bind: grants.bind,
    keep: grants.keep,
    revokeOf: grants.revokeOf,
    revokeClient: grants.revokeClient,
    clientsOf: grants.clientsOf,

    /** Marks an assertion of a client as used. Of several requests with it at a time, one gets `new`. */
    async useAssertion({ issuer, jti, end, ...by }: UsedAssertion): Promise<'new' | 'used' | 'too-many'> {
      const model = 'Assertion';
      const id = assertionKeyOf(issuer, jti);
      const party = keyOf('assertions', by.party);
      // An assertion that expires soon would otherwise no longer count for the limit, while its row stays until the next cleaning.
      // An assertion may name a fraction of a second (RFC 7519 2).
      const keptUntil = Math.ceil(Math.max(end, now() + leastKept));
      if (!(await grants.hasRoomForAssertion(party, now()))) return 'too-many';
      const row = { ...emptyRow, id, model, party, created_at: now(), expires_at: keptUntil };
      return (await insertNew(database.insertInto(table).values(row))) ? 'new' : 'used';
    },

    isUsed: async ({ issuer, jti }: Pick<UsedAssertion, 'issuer' | 'jti'>): Promise<boolean> =>
      (await findRow(assertionKeyOf(issuer, jti))).length > 0,

    /** Returns when a waiting request came, in milliseconds since 1970. */
    async startOf(uid: string): Promise<number> {
      return Number((await findRow(keyOf('Interaction', uid)))[0]?.created_at);
    },

    /** Claims a request that waits for its user, before a grant is issued. Of several answers at a time, one gets true. */
    async takeInteraction(uid: string): Promise<boolean> {
      const { numUpdatedRows } = await database
        .updateTable(table)
        .set({ consumed_at: now() })
        .where('id', '=', keyOf('Interaction', uid))
        .where('consumed_at', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    /**
     * Claims a device that waits for its user, before a grant is issued. Undefined if it was answered already, or has expired. Of several
     * answers at a time, one gets the device.
     */
    async takeDevice(userCode: string): Promise<TakenDevice | undefined> {
      const [row] = await findByLookup(keyOf('user code', userCode));
      if (row === undefined || Number(row.expires_at) <= now()) return undefined;
      const taken = database.updateTable(table).set({ lookup: null }).where('id', '=', row.id);
      const { numUpdatedRows } = await taken.where('lookup', '=', row.lookup).executeTakeFirst();
      return numUpdatedRows > 0n ? { id: row.id, payload: row.payload } : undefined;
    },

    /**
     * Stores the answer to a device, which gets its tokens or an error with its next request.
     * @param stamp the stamp of the account, if the user has allowed the device. The grant lasts until the stamp changes
     */
    answerDevice: ({ id, payload }: TakenDevice, answer: Payload, stamp?: string): Promise<void> =>
      inTransaction(database, async (db) => {
        const { grantId } = answer;
        const isGiven = typeof grantId === 'string' && stamp !== undefined;
        const answered = {
          payload: JSON.stringify({ ...JSON.parse(payload), ...answer }),
          grant_id: isGiven ? keyOf('Grant', grantId) : null,
        };
        await db.updateTable(table).set(answered).where('id', '=', id).execute();
        if (isGiven) await grants.keep(grantId, stamp, db);
      }),
  };
}
