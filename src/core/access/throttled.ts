import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import type { Throttle } from '../throttle/throttle.ts';
import { passwordFingerprint } from '../users/account.ts';
import { canonicalUsername, type User } from '../users/user.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import { type LiftedKeys, type ListedKey, liftFailures, listFailures } from './login-limits.ts';

export interface ThrottledKey extends Omit<ListedKey, 'passwordFingerprint'> {
  readonly username?: string;
  /** Whether the failures no longer count, because the account is gone or has got another password. */
  readonly outdated: boolean;
}

/** The user, name or address whose failures are forgotten. A name without a user may be given by its digest. */
export type LiftTarget =
  | { readonly username: string }
  | { readonly userId: string }
  | { readonly nameDigest: string }
  | { readonly address: string }
  | 'all';

interface ThrottledOptions {
  readonly throttle: Throttle;
  readonly users: UserDirectory;
  readonly audit: Audit<'throttle-lifted'> & { countAct(event: AuditEvent): void };
}

/** Lets operators and administrators list the failed attempts that the throttle has counted, and clear them. */
export function createThrottled({ throttle, users, audit }: ThrottledOptions) {
  /**
   * Lists keys with failures. A page may be empty and still have a next one.
   * @param from the `next` of the previous page
   * @param owners users by the digests of their names, of the previous pages and of this one
   */
  async function listPage(from?: string, owners = new Map<string, User>()) {
    const { keys, next } = await listFailures(throttle, from);
    const accounts = await users.findAll([...new Set(keys.flatMap(({ userId = [] }) => userId))]);
    // A digest does not reveal a name, but the digest of a listed user's name can be recognized.
    for (const { user } of accounts.values()) owners.set(audit.digestName(user.username), user);
    const described = keys.map(({ passwordFingerprint: counted, ...key }): ThrottledKey => {
      const account = accounts.get(key.userId ?? '');
      // A new password does not end failures of codes, which carry no fingerprint.
      const isOther = counted !== undefined && account !== undefined && passwordFingerprint(account) !== counted;
      const owner = account?.user ?? owners.get(key.nameDigest ?? '');
      const outdated = key.userId !== undefined && (account === undefined || isOther);
      return { ...key, ...(owner && { userId: owner.id, username: owner.username }), outdated };
    });
    return { keys: described, next };
  }

  async function choose(
    target: LiftTarget,
  ): Promise<{ lifted: LiftedKeys; event: Pick<AuditEvent, 'userId' | 'nameDigest' | 'reason'> }> {
    if (target === 'all') return { lifted: 'all', event: { reason: 'all' } };
    if ('address' in target) return { lifted: target, event: { reason: `address ${target.address}` } };
    if ('nameDigest' in target) return { lifted: { userId: undefined, ...target, codes: true }, event: target };
    const name = 'username' in target ? canonicalUsername(target.username) : '';
    const account = await ('username' in target ? users.findByUsername(name) : users.findById(target.userId));
    const userId = account?.user.id;
    const nameDigest = audit.digestName(account?.user.username ?? name);
    return { lifted: { userId, nameDigest, codes: true }, event: userId === undefined ? { nameDigest } : { userId } };
  }

  return {
    listPage,

    async *list(): AsyncGenerator<ThrottledKey> {
      const owners = new Map<string, User>();
      let from: string | undefined;
      do {
        const { keys, next } = await listPage(from, owners);
        yield* keys;
        from = next;
      } while (from !== undefined);
    },

    /** Forgets failures, and returns the number of keys. */
    async lift(target: LiftTarget, actor: { readonly caller: Caller; readonly actorId?: string }): Promise<number> {
      const { lifted, event } = await choose(target);
      const act = { kind: 'throttle-lifted', ...actor, ...event } as const;
      audit.requireAllowance(act);
      let count = 0;
      try {
        count = await liftFailures(throttle, lifted);
      } finally {
        // A lift that finds nothing counts too, because it has searched many keys.
        if (count === 0) audit.countAct(act);
      }
      if (count > 0) await audit.record(act);
      return count;
    },
  };
}
