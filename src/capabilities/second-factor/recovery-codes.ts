import { randomBytes } from 'node:crypto';
import { hashSecret } from '../../core/sessions/credential.ts';
import type { Held } from '../../core/users/held.ts';
import type { User } from '../../core/users/user.ts';
import type { Database } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { crockford, toBase32 } from './base32.ts';
import { columnsOf } from './rows.ts';

const codesPerUser = 10;

/** A code has 120 random bits. From 112 bits on, a plain hash is enough (ASVS 6.5.2), because no attacker can try them all. */
const codeBytes = 15;

/** Makes a code of six groups of four characters, which users can read and type. */
const createCode = () => toBase32(randomBytes(codeBytes), crockford).replaceAll(/.{4}(?=.)/g, '$&-');

/** Hashes a typed code. Case and separators do not matter, and letters that look like digits count as digits. */
function hashCode(typed: string): string {
  const letters = typed.toUpperCase().replaceAll(/[^0-9A-Z]/g, '');
  return hashSecret(letters.replaceAll('O', '0').replaceAll(/[IL]/g, '1'));
}

/**
 * Codes for a user who has lost the other factors. Each works once (ASVS 6.5.1), and only hashes are stored. `db` may be a transaction of
 * the caller. Every method throws `Unavailable` when the database cannot be reached.
 */
export function createRecoveryCodes(database: Database) {
  const remove = async (user: Pick<User, 'id'>, db = database): Promise<void> => {
    await db.deleteFrom('janua_recovery_codes').where('user_id', '=', user.id).execute();
  };

  return {
    remove,

    /** Makes new codes, and voids the old ones. @returns the codes, of which only hashes are stored */
    async replace({ user, db }: Held): Promise<string[]> {
      const codes = Array.from({ length: codesPerUser }, createCode);
      const rows = codes.map((code) => ({ hash: hashCode(code), ...columnsOf(user) }));
      await remove(user, db);
      await db.insertInto('janua_recovery_codes').values(rows).execute();
      return codes;
    },

    /** Checks a code, and uses it up. Of many calls at the same time, one succeeds. */
    async use(user: Pick<User, 'id'>, code: string, db = database): Promise<boolean> {
      const used = db
        .deleteFrom('janua_recovery_codes')
        .where('hash', '=', hashCode(code))
        .where('user_id', '=', user.id);
      return (await countDeleted(used)) > 0;
    },

    async count(user: Pick<User, 'id'>, db = database): Promise<number> {
      const own = db.selectFrom('janua_recovery_codes').where('user_id', '=', user.id);
      const { count } = await own.select((row) => row.fn.countAll().as('count')).executeTakeFirstOrThrow();
      return Number(count);
    },
  };
}
