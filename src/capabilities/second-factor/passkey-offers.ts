import type { SignedIn } from '../../core/access/access.ts';
import type { User } from '../../core/users/user.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import type { FactorCore } from './events.ts';

/** Milliseconds until a passkey is offered again to a user who has chosen "not now". */
const pause = 30 * 24 * 60 * 60 * 1000;

/** Offers a passkey to users who sign in by a password, and stores their refusal. */
export function createPasskeyOffers({ database, passkeys, now }: Pick<FactorCore, 'database' | 'passkeys' | 'now'>) {
  /** Finds the row of a user who has declined the offer. */
  const find = (user: Pick<User, 'id'>) =>
    database.selectFrom('janua_passkey_offers').select('again_at').where('user_id', '=', user.id).executeTakeFirst();

  return {
    find,

    async isDue({ user, session }: Pick<SignedIn, 'user' | 'session'>): Promise<boolean> {
      if (!session.methods.includes('pwd')) return false;
      const { again_at: againAt = 0 } = (await find(user)) ?? {};
      if (againAt === null || Number(againAt) > now()) return false;
      return (await passkeys.list(user)).length === 0;
    },

    async decline({ id: user_id }: Pick<User, 'id'>, answer: 'later' | 'never'): Promise<void> {
      const row = { again_at: answer === 'never' ? null : now() + pause };
      const replace = database.updateTable('janua_passkey_offers').set(row).where('user_id', '=', user_id);
      if ((await replace.executeTakeFirst()).numUpdatedRows > 0n) return;
      const added = await insertNew(database.insertInto('janua_passkey_offers').values({ user_id, ...row }));
      // A parallel request of the same user has added the row.
      if (!added) await replace.execute();
    },
  };
}
