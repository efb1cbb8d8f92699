import { createHmac, hash } from 'node:crypto';
import { type Account, stampOf } from '../../core/users/account.ts';
import type { OpenDatabase } from '../../ground/database/database.ts';
import { removeOfClient } from '../../ground/database/deletions.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import type { NewRow, Row } from '../../ground/database/schema.ts';
import { repeated } from '../../ground/database/transaction.ts';
import { endSiteOf } from '../../ground/text/networks.ts';
import type { BriefRecords } from './redis-requests.ts';

/** What the provider keeps: a code, a token, a grant, or a request that waits for its user. */
export type Payload = Record<string, unknown>;

/** It was used already. All that came from it has been revoked. */
export class Spent extends Error {
  override readonly name = 'Spent';
}

/** The device asks more often than every five seconds (RFC 8628 3.5). */
export class TooFast extends Error {
  override readonly name = 'TooFast';
}

/** How long a refresh token that was used gives its successor again, in milliseconds. Several processes of a client may share one. */
const graceMilliseconds = 10_000;

/** How long a grant lasts that nothing uses, in milliseconds, if the user let the application act without the session. */
const unusedMilliseconds = 30 * 86_400_000;

const pollMilliseconds = 5000;

/** They wait for their user. */
const waits: ReadonlySet<string> = new Set(['Interaction']);

/** Requests that wait at a time: of one user, and of all devices, which anyone may begin. */
export const mostWaiting = { ofUser: 20, ofDevices: 1000 };

/** They are written once. */
const written: ReadonlySet<string> = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

const emptyRow = {
  payload: '{}',
  grant_id: null,
  lookup: null,
  user_id: null,
  client_id: null,
  session_id: null,
  stamp: null,
  consumed_at: null,
  polled_at: null,
  party: null,
};

const keyOf = (model: string, id: string): string => hash('sha256', `${model} ${id}`, 'base64url');

/** Whose a request is that waits: the user of a sign-in, or the network that a device asked from. */
function partyOf(model: string, { session, deviceInfo }: Payload): string | undefined {
  if (model === 'Interaction') return (session as { accountId?: string } | undefined)?.accountId;
  return model === 'DeviceCode' ? endSiteOf((deviceInfo as { address?: string } | undefined)?.address) : undefined;
}

/** Stands in a payload for its own id. In JSON no text contains it, because control characters are escaped. */
const ownId = '\u0001';

export interface RecordOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From which the successor of a refresh token is derived. */
  readonly key: Buffer;
  /** The user whom applications know by this subject. */
  readonly userIdOf: (subject: string) => Promise<string | undefined>;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly isAlive: (sessionId: string) => Promise<boolean>;
  /** In Redis, where there is one. */
  readonly brief?: BriefRecords | undefined;
}

export type Records = ReturnType<typeof createRecords>;

/**
 * Keeps hashes only: a thief of the database can use none of it. What may be used once is taken by a conditional update, so that one of
 * several requests at a time gets it, and the others revoke the grant (RFC 9700 4.5, 4.14.2).
 */
export function createRecords({ database, prepareLookup }: OpenDatabase, options: RecordOptions) {
  const { now, key, userIdOf, findAccount, isAlive, brief } = options;
  const table = 'janua_oidc_records';
  const rows = database.selectFrom(table);
  const findRow = prepareLookup((id) => rows.selectAll().where('id', '=', id), 'id');
  const findByLookup = prepareLookup((lookup) => rows.selectAll().where('lookup', '=', lookup), 'lookup');

  /** The token that follows a refresh token. Only with the token and the key of this server can it be computed. */
  const successorOf = (token: string): string => createHmac('sha256', key).update(token).digest('base64url');

  async function isInGrace(id: string, consumedAt: number): Promise<boolean> {
    if (now() - consumedAt >= graceMilliseconds) return false;
    const [successor] = await findRow(keyOf('RefreshToken', successorOf(id)));
    return successor === undefined || successor.consumed_at === null;
  }

  async function revoke(grantKey: string): Promise<void> {
    const all = database
      .deleteFrom(table)
      .where((or) => or.or([or('grant_id', '=', grantKey), or('id', '=', grantKey)]));
    await repeated(() => all.execute());
  }

  /** A password that was changed, or an account that was disabled, ends what acts without a session. */
  async function holds({ stamp, user_id }: Row<typeof table>): Promise<boolean> {
    if (stamp === null) return true;
    const account = await findAccount(user_id ?? '');
    return account !== undefined && !account.disabled && stampOf(account) === stamp;
  }

  /** One request in five seconds. */
  async function takePoll({ id }: Row<typeof table>): Promise<void> {
    const { numUpdatedRows } = await database
      .updateTable(table)
      .set({ polled_at: now() })
      .where('id', '=', id)
      .where((or) => or.or([or('polled_at', 'is', null), or('polled_at', '<=', now() - pollMilliseconds)]))
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw new TooFast();
  }

  /** Once too many requests wait, the oldest of the party that holds most go. */
  async function makeRoom(model: string, party: string): Promise<void> {
    const waiting = database.selectFrom(table).where('model', '=', model);
    const isUser = model === 'Interaction';
    const counts = await (isUser ? waiting.where('party', '=', party) : waiting.where('party', 'is not', null))
      .select(({ fn }) => ['party', fn.countAll().as('count')])
      .groupBy('party')
      .execute();
    const held = counts.map((row) => ({ party: row.party, count: Number(row.count), over: 0 }));
    // Of equals, the party that has just asked.
    const isLarger = (one: (typeof held)[0], other: (typeof held)[0]) =>
      one.count > other.count || (one.count === other.count && one.party === party);
    const most = isUser ? mostWaiting.ofUser : mostWaiting.ofDevices;
    let excess = held.reduce((sum, { count }) => sum + count, 0) - most;
    for (; excess > 0; excess -= 1) {
      const largest = held.reduce((best, one) => (isLarger(one, best) ? one : best));
      largest.count -= 1;
      largest.over += 1;
    }
    for (const { party: of, over } of held.filter((one) => one.over > 0)) {
      const oldest = waiting.select('id').where('party', '=', of).orderBy('created_at').orderBy('id').limit(over);
      const ids = (await oldest.execute()).map(({ id }) => id);
      if (ids.length > 0) await database.deleteFrom(table).where('id', 'in', ids).execute();
    }
  }

  const toPayload = (row: Row<typeof table>, id: string): Payload => ({
    ...JSON.parse(row.payload.replaceAll(ownId, id)),
    jti: id,
    exp: Math.floor(Number(row.expires_at) / 1000),
  });

  /** Those that wait for a user, where they are in Redis. */
  function briefOf(model: string, { put, get, remove }: BriefRecords): ReturnType<typeof sqlOf> {
    const none = async () => undefined;
    async function find(id: string): Promise<Payload | undefined> {
      const text = await get(keyOf(model, id));
      return text === null ? undefined : { ...JSON.parse(text.replaceAll(ownId, id)), jti: id };
    }
    return {
      async upsert(id, payload, seconds) {
        const { jti: _, ...rest } = payload;
        const text = JSON.stringify({ ...rest, createdAt: now() }).replaceAll(id, ownId);
        const party = partyOf(model, payload);
        const waiting = party === undefined ? undefined : { party, most: mostWaiting.ofUser, now: now() };
        await put(keyOf(model, id), text, now() + seconds * 1000, waiting);
      },
      find,
      async destroy(id) {
        await remove(keyOf(model, id), partyOf(model, (await find(id)) ?? {}));
      },
      findByUserCode: none,
      consume: none,
      revokeByGrantId: none,
    };
  }

  const of = (model: string) => (brief !== undefined && waits.has(model) ? briefOf(model, brief) : sqlOf(model));

  /** The records of one kind, as the provider wants them. */
  const sqlOf = (model: string) => ({
    /** @throws {Spent} if its grant was revoked meanwhile */
    async upsert(id: string, payload: Payload, seconds: number): Promise<void> {
      const { jti: _, userCode, grantId, accountId, clientId, ...rest } = payload;
      const grantKey = typeof grantId === 'string' && model !== 'Interaction' ? keyOf('Grant', grantId) : null;
      const isGrant = model === 'Grant';
      const changed = {
        payload: JSON.stringify({ ...rest, grantId, accountId, clientId }).replaceAll(id, ownId),
        expires_at: now() + seconds * 1000,
      };
      if (!written.has(model)) {
        const update = database.updateTable(table).set(changed).where('id', '=', keyOf(model, id));
        if ((await update.executeTakeFirst()).numUpdatedRows > 0n) return;
      }
      const row: NewRow<typeof table> = {
        ...emptyRow,
        id: keyOf(model, id),
        model,
        ...changed,
        grant_id: grantKey,
        lookup: typeof userCode === 'string' ? keyOf('user code', userCode) : null,
        user_id: isGrant ? ((await userIdOf(String(accountId))) ?? null) : null,
        client_id: typeof clientId === 'string' ? clientId : null,
        party: partyOf(model, payload) ?? null,
        created_at: now(),
      };
      await insertNew(database.insertInto(table).values(row));
      if (row.party) await makeRoom(model, row.party);
      if (grantKey === null || !written.has(model)) return;
      const [grant] = await findRow(grantKey);
      if (grant === undefined) {
        await database.deleteFrom(table).where('id', '=', row.id).execute();
        throw new Spent();
      }
      if (model !== 'RefreshToken' || grant.stamp === null) return;
      const until = { expires_at: now() + unusedMilliseconds };
      await database.updateTable(table).set(until).where('id', '=', grantKey).execute();
    },

    /** @param polls whether it is a device that asks for its tokens @throws {TooFast} */
    async find(id: string, polls = false): Promise<Payload | undefined> {
      const [row] = await findRow(keyOf(model, id));
      if (row === undefined) return undefined;
      if (!(await holds(row))) {
        // It ends for good: a user who is enabled again has to let the application in again.
        await revoke(row.id);
        return undefined;
      }
      if (polls) await takePoll(row);
      const payload = toPayload(row, id);
      if (row.consumed_at === null) return payload;
      if (model === 'RefreshToken' && (await isInGrace(id, Number(row.consumed_at)))) return payload;
      return { ...payload, consumed: Math.floor(Number(row.consumed_at) / 1000) };
    },

    /** A device code. Its own text is not known. */
    async findByUserCode(userCode: string): Promise<Payload | undefined> {
      const [row] = await findByLookup(keyOf('user code', userCode));
      return row && { ...toPayload(row, ''), userCode, consumed: row.consumed_at ?? undefined };
    },

    /** Uses it up. @throws {Spent} if it was used before: its grant is then revoked */
    async consume(id: string): Promise<void> {
      const one = database.updateTable(table).set({ consumed_at: now() }).where('id', '=', keyOf(model, id));
      if ((await one.where('consumed_at', 'is', null).executeTakeFirst()).numUpdatedRows > 0n) return;
      const [row] = await findRow(keyOf(model, id));
      const consumedAt = Number(row?.consumed_at ?? 0);
      if (row !== undefined && model === 'RefreshToken' && (await isInGrace(id, consumedAt))) return;
      if (row?.grant_id) await revoke(row.grant_id);
      throw new Spent();
    },

    async destroy(id: string): Promise<void> {
      await database.deleteFrom(table).where('id', '=', keyOf(model, id)).execute();
    },

    async revokeByGrantId(grantId: string): Promise<void> {
      const all = database.deleteFrom(table).where('grant_id', '=', keyOf('Grant', grantId));
      await all.where('model', '=', model).execute();
    },
  });

  const grantsOf = (userId: string) =>
    rows.selectAll().where('user_id', '=', userId).where('model', '=', 'Grant').where('expires_at', '>', now());

  return {
    of,
    successorOf,

    /**
     * Uses an assertion of a client. False if it was used before: of several requests at a time, one gets true.
     * @param end when the assertion ends, in milliseconds since 1970
     */
    async useAssertion(issuer: string, jti: string, end: number): Promise<boolean> {
      const model = 'Assertion';
      const id = keyOf(model, JSON.stringify([issuer, jti]));
      if (brief !== undefined) return brief.putNew(id, end);
      const row = { ...emptyRow, id, model, created_at: now(), expires_at: end };
      return insertNew(database.insertInto(table).values(row));
    },

    /** When a request that waits came, in milliseconds since 1970. */
    async startOf(uid: string): Promise<number> {
      if (brief !== undefined) return Number((await of('Interaction').find(uid))?.createdAt);
      return Number((await findRow(keyOf('Interaction', uid)))[0]?.created_at);
    },

    /** Says in which session a grant was given. */
    async bind(grantId: string, sessionId: string): Promise<void> {
      const one = database.updateTable(table).where('id', '=', keyOf('Grant', grantId));
      await one.set({ session_id: sessionId }).execute();
    },

    /** Lets a grant last without the session, until the stamp of the account changes or nothing has used it for 30 days. */
    async keep(grantId: string, stamp: string): Promise<void> {
      const kept = { stamp, session_id: null, expires_at: now() + unusedMilliseconds };
      await database.updateTable(table).set(kept).where('id', '=', keyOf('Grant', grantId)).execute();
    },

    /** Answers a device: it gets its tokens when it asks next. False if it was answered already, or has expired. */
    async answerDevice(userCode: string, answer: Payload): Promise<boolean> {
      const [row] = await findByLookup(keyOf('user code', userCode));
      if (row === undefined || Number(row.expires_at) <= now()) return false;
      const { grantId } = answer;
      const { numUpdatedRows } = await database
        .updateTable(table)
        .set({
          payload: JSON.stringify({ ...JSON.parse(row.payload), ...answer }),
          grant_id: typeof grantId === 'string' ? keyOf('Grant', grantId) : null,
          lookup: null,
        })
        .where('id', '=', row.id)
        .where('lookup', '=', row.lookup)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    async revokeOf(userId: string, clientId: string): Promise<void> {
      for (const { id } of await grantsOf(userId).where('client_id', '=', clientId).execute()) await revoke(id);
    },

    async revokeClient(clientId: string): Promise<void> {
      await removeOfClient(database, table, clientId);
    },

    /** The applications that hold something of a user, with the time since which they do. */
    async clientsOf(userId: string): Promise<{ readonly clientId: string; readonly since: Date }[]> {
      const found = new Map<string, Date>();
      for (const row of await grantsOf(userId).orderBy('created_at').execute()) {
        const lives = row.session_id === null ? await holds(row) : await isAlive(row.session_id);
        const clientId = row.client_id ?? '';
        if (lives && !found.has(clientId)) found.set(clientId, new Date(Number(row.created_at)));
      }
      return [...found].map(([clientId, since]) => ({ clientId, since }));
    },
  };
}
