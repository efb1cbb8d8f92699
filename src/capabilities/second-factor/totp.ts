import { randomBytes } from 'node:crypto';
import type { Core } from '../../core/core.ts';
import type { Held } from '../../core/users/held.ts';
import type { ImportPort } from '../../core/users/imported-user.ts';
import type { User } from '../../core/users/user.ts';
import type { Database } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { encryptionContext, hasEncrypted } from '../../ground/database/encrypted.ts';
import { insertAll, insertNew } from '../../ground/database/insert-new.ts';
import { rfc4648, toBase32 } from './base32.ts';
import { columnsOf, timesOf } from './rows.ts';
import { findStep, stepSeconds } from './totp-code.ts';

/** Milliseconds in which an enrollment must be confirmed by a code. */
const enrolmentMilliseconds = 10 * 60 * 1000;

type State = 'active' | 'waiting';

/**
 * Returns the id of the row of a user in this state, of which there is at most one. Both states have a prefix, because the id of a user may
 * be any text.
 */
const idOf = (state: State, user: Pick<User, 'id'>) => `${state}:${user.id}`;

const contextOf = (id: string) => encryptionContext('janua_totp', id);

/**
 * Codes of authenticator apps (RFC 6238). Their secrets are encrypted. `db` may be a transaction of the caller. Every method throws
 * `Unavailable` when the database cannot be reached.
 */
export function createTotp(options: Pick<Core, 'database' | 'cipher' | 'appName' | 'now'>) {
  const { database, cipher, appName, now } = options;

  async function findRow(state: State, user: Pick<User, 'id'>, db: Database) {
    const id = idOf(state, user);
    const row = await db
      .selectFrom('janua_totp')
      .selectAll()
      .where('id', '=', id)
      .where('user_id', '=', user.id)
      .executeTakeFirst();
    // MySQL ignores trailing spaces, so the id is compared again.
    return row?.id === id ? row : undefined;
  }

  /** Finds the secret of a user and the step of the code. Undefined if the code is wrong. */
  async function findByCode(state: State, user: Pick<User, 'id'>, code: string, db: Database) {
    const row = await findRow(state, user, db);
    const secret = row && cipher.decrypt(row.secret, contextOf(row.id));
    const step = secret && findStep(secret, code, now());
    return row && secret && step !== undefined ? { row, secret, step } : undefined;
  }

  function shownFor(secret: Buffer, account: string) {
    const text = toBase32(secret, rfc4648);
    return { secret: text, uri: uriOf(text, account, appName) };
  }

  async function put(
    state: State,
    user: Pick<User, 'id'>,
    secret: Buffer,
    lastStep: number,
    db: Database,
  ): Promise<void> {
    const id = idOf(state, user);
    const row = {
      ...columnsOf(user),
      secret: cipher.encrypt(secret, contextOf(id)),
      last_step: lastStep,
      created_at: now(),
      last_used_at: null,
    };
    const replace = () => db.updateTable('janua_totp').set(row).where('id', '=', id).executeTakeFirst();
    if ((await replace()).numUpdatedRows > 0n) return;
    const added = await insertNew(db.insertInto('janua_totp').values({ id, ...row }));
    // A parallel request of the same user has added the row.
    if (!added) await replace();
  }

  return {
    imports: {
      /** Adds the apps that users had at another server. */
      async store(users, db, time) {
        const apps = users.flatMap(({ id, totp }) => (totp === undefined ? [] : [{ user: { id }, ...totp }]));
        if (apps.length === 0) return;
        await cipher.prepare(async () => !(await hasEncrypted(db)));
        const rows = apps.map(({ user, secret, createdAt }) => {
          const id = idOf('active', user);
          const created_at = Math.max(0, Math.min(createdAt, time));
          const sealed = cipher.encrypt(secret, contextOf(id));
          return { id, ...columnsOf(user), secret: sealed, last_step: 0, created_at, last_used_at: null };
        });
        await insertAll(db, 'janua_totp', rows);
      },
    } satisfies ImportPort,

    /**
     * Makes a secret, which becomes valid if `enable` gets a code of it within 10 minutes. It replaces an earlier secret that was not
     * confirmed.
     * @param account names the user in the authenticator app
     * @throws {Unavailable} if the secret cannot be encrypted
     */
    async begin(user: Pick<User, 'id'>, account: string): Promise<{ secret: string; uri: string }> {
      await cipher.prepare(async () => !(await hasEncrypted(database)));
      // 160 bits (RFC 4226 4, R6).
      const secret = randomBytes(20);
      await put('waiting', user, secret, 0, database);
      return shownFor(secret, account);
    },

    /** Finds the secret that `begin` made, while a code can still confirm it. It is shown again to an owner who has typed a wrong code. */
    async findWaiting(user: Pick<User, 'id'>, account: string): Promise<{ secret: string; uri: string } | undefined> {
      const row = await findRow('waiting', user, database);
      const secret = row && cipher.decrypt(row.secret, contextOf(row.id));
      const isOver = now() - Number(row?.created_at) >= enrolmentMilliseconds;
      return secret === undefined || isOver ? undefined : shownFor(secret, account);
    },

    /** Enables the waiting secret if the code is right, and uses the code up. Of many calls at the same time, one succeeds. */
    async enable({ user, db }: Held, code: string): Promise<boolean> {
      const found = await findByCode('waiting', user, code, db);
      if (found === undefined) return false;
      const { row, secret, step } = found;
      if (now() - Number(row.created_at) >= enrolmentMilliseconds) return false;
      const taken = db.deleteFrom('janua_totp').where('id', '=', row.id).where('created_at', '=', row.created_at);
      if ((await countDeleted(taken)) === 0) return false;
      await put('active', user, secret, step, db);
      return true;
    },

    /**
     * Checks a code, and uses it up: no code of its step or an earlier one is accepted again (RFC 6238 5.2). Of many calls at the same
     * time, one succeeds.
     */
    async check(user: Pick<User, 'id'>, code: string, db = database): Promise<boolean> {
      const found = await findByCode('active', user, code, db);
      if (found === undefined) return false;
      const { row, step } = found;
      // Another secret may have replaced this one since it was read, so the statement compares `created_at`.
      const same = db.updateTable('janua_totp').where('id', '=', row.id).where('created_at', '=', row.created_at);
      const update = same.set({ last_step: step, last_used_at: now() }).where('last_step', '<', step);
      return (await update.executeTakeFirst()).numUpdatedRows > 0n;
    },

    async find(user: Pick<User, 'id'>, db = database) {
      const row = await findRow('active', user, db);
      return row && timesOf(row);
    },

    /** Removes secrets that were not confirmed in time. @param time milliseconds since 1970 */
    async removeExpired(time: number): Promise<void> {
      const waiting = database.deleteFrom('janua_totp').where('id', 'like', 'waiting:%');
      await waiting.where('created_at', '<', time - enrolmentMilliseconds).execute();
    },

    /** Removes the secrets of a user, including one that waits. */
    async remove(user: Pick<User, 'id'>, db = database): Promise<void> {
      await db.deleteFrom('janua_totp').where('user_id', '=', user.id).execute();
    },
  };
}

/**
 * Longest account name in the address for an app, in characters after escaping. A QR code holds at most 2,331 bytes, and an escaped letter
 * takes up to twelve. Drawing a full code takes 30 ms.
 */
const longestLabel = 300;

function labelOf(account: string): string {
  let label = '';
  for (const letter of account) {
    const longer = label + encodeURIComponent(letter);
    if (longer.length > longestLabel) return `${label}${encodeURIComponent('…')}`;
    label = longer;
  }
  return label;
}

/** Makes the address in a QR code for authenticator apps. They read `+` as a plus sign, so it is not form-encoded. */
function uriOf(secret: string, account: string, issuer: string): string {
  const [name, label] = [encodeURIComponent(issuer), labelOf(account)];
  return `otpauth://totp/${name}:${label}?secret=${secret}&issuer=${name}&algorithm=SHA1&digits=6&period=${stepSeconds}`;
}
