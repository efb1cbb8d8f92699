import type { AuditEvent } from '../audit/event.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import { type Account, rightsOfAccount, type Verification } from '../users/account.ts';
import { ChangeRefused } from '../users/change-refused.ts';
import type { events } from '../users/events.ts';
import type { Held } from '../users/held.ts';
import type { RequireRights } from '../users/scopes.ts';
import { canonicalUsername } from '../users/user.ts';
import type { UserRegistry } from '../users/user-directory.ts';
import type { Actor, AdministrationOptions } from './administration.ts';
import type { ChangeKind } from './change-rules.ts';

export type EventKind = keyof typeof events | keyof typeof sessionEvents;

/** A user by name, or by id. Sessions name a user who is gone from the directory by id. */
export type UserReference = string | { readonly username: string } | { readonly userId: string };

export type Acting = ReturnType<typeof createActing>;

/** What every action needs: who acts, with which rights, and on which user. */
export function createActing(
  { users, registry, changeAny, audit }: AdministrationOptions,
  actor: Actor,
  requireRights: RequireRights,
) {
  const verification: Verification =
    actor.actorId === undefined
      ? { how: 'command', by: actor.caller.operator }
      : { how: 'administrator', by: actor.actorId };

  const record = (kind: EventKind, event: Omit<AuditEvent, 'kind' | keyof Actor>) =>
    audit.record({ kind, ...actor, ...event });

  function requireRegistry(): UserRegistry {
    if (registry !== undefined) return registry;
    throw new ChangeRefused(
      'USERS_TABLE is a table of your own, so Janua does not change its users. Change them in your application. ' +
        'To end the sessions of a user, run: npx janua sessions revoke-all EMAIL',
      'own-table',
    );
  }

  const idOf = async (reference: UserReference): Promise<string> =>
    typeof reference === 'object' && 'userId' in reference ? reference.userId : (await find(reference)).user.id;

  async function find(reference: UserReference): Promise<Account> {
    if (typeof reference === 'string') return find({ username: reference });
    const byId = 'userId' in reference;
    const account = await (byId
      ? users.findById(reference.userId)
      : users.findByUsername(canonicalUsername(reference.username)));
    if (account === undefined)
      throw new ChangeRefused(`There is no user with that ${byId ? 'id' : 'name'}.`, 'no-such-user');
    return account;
  }

  const judge = (account: Account): void => requireRights(rightsOfAccount(account));

  /** The account of a user whom the actor may change. */
  async function requireAccount(reference: UserReference): Promise<Account> {
    const account = await find(reference);
    judge(account);
    return account;
  }

  async function change(
    kind: ChangeKind,
    reference: UserReference,
    work: (registry: UserRegistry, held: Held) => Promise<void>,
  ): Promise<void> {
    const registry = requireRegistry();
    const userId = (await find(reference)).user.id;
    await changeAny({ kind }, userId, actor, (held) => {
      judge(held.account);
      return work(registry, held);
    });
  }

  return { actor, requireRights, verification, record, requireRegistry, idOf, find, judge, requireAccount, change };
}
