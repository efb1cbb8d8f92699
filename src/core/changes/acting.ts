import type { Database } from '../../ground/database/database.ts';
import type { AuditEvent, ChangeKindOf } from '../audit/event.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import { type Account, rightsOfAccount, type Verification } from '../users/account.ts';
import { ChangeRefused } from '../users/change-refused.ts';
import type { events } from '../users/events.ts';
import type { Held } from '../users/held.ts';
import type { RequireRights } from '../users/scopes.ts';
import { canonicalUsername } from '../users/user.ts';
import type { UserDirectory, UserRegistry } from '../users/user-directory.ts';
import type { Actor, AdministrationOptions } from './administration.ts';
import type { ChangeKind } from './change-rules.ts';

export type AdministrationEvents = typeof events & typeof sessionEvents;

type ChangeEventKind = ChangeKindOf<AdministrationEvents> | 'session-ended';

/** A user by name, or by id. An id may also name a user who is gone from the directory, but whose sessions are listed or ended. */
export type UserReference = string | { readonly username: string } | { readonly userId: string };

export const ownTable = () =>
  new ChangeRefused(
    'USERS_TABLE is a table of your own, so Janua does not change its users. Change them in your application. ' +
      'To end the sessions of a user, run: ./bin/janua sessions revoke-all EMAIL',
    'own-table',
  );

export type Acting = ReturnType<typeof createActing>;

/** Returns the parts that all actions of administrators share: the actor, the check of their rights, and the look-up of the user. */
export function createActing(
  { users, registry, changeAny, audit }: AdministrationOptions,
  actor: Actor,
  requireRights: RequireRights,
) {
  const verification: Verification =
    actor.actorId === undefined
      ? { how: 'command', by: actor.caller.operator }
      : { how: 'administrator', by: actor.actorId };

  /** Records a change in its transaction. */
  const recordIn = (db: Database, kind: ChangeEventKind, event: Omit<AuditEvent, 'kind' | keyof Actor>) =>
    audit.recordIn(db, { kind, ...actor, ...event });

  /**
   * Returns a function that records a change in its transaction. Throws at once, before the transaction, if there were too many such
   * changes.
   */
  function recording(kind: ChangeEventKind, event: Omit<AuditEvent, 'kind' | keyof Actor>) {
    audit.requireAllowance({ kind, ...actor, ...event });
    return (db: Database, more = {}) => recordIn(db, kind, { ...event, ...more });
  }

  function requireRegistry(): UserRegistry {
    if (registry !== undefined) return registry;
    throw ownTable();
  }

  const idOf = async (reference: UserReference): Promise<string> =>
    typeof reference === 'object' && 'userId' in reference ? reference.userId : (await find(reference)).user.id;

  async function look(reference: UserReference, findNamed: UserDirectory['findByUsername']): Promise<Account> {
    if (typeof reference === 'string') return look({ username: reference }, findNamed);
    const byId = 'userId' in reference;
    const account = await (byId ? users.findById(reference.userId) : findNamed(canonicalUsername(reference.username)));
    if (account === undefined)
      throw new ChangeRefused(
        `There is no user with that ${byId ? 'id' : 'name'}${registry === undefined ? ' whom Janua has seen' : ''}.`,
        'no-such-user',
      );
    return account;
  }

  const find = (reference: UserReference): Promise<Account> => look(reference, users.findByUsername);

  /** Finds a user for an action that stores something for the user. A person in a team's own table gets an account. */
  const adopt = (reference: UserReference): Promise<Account> => look(reference, users.adoptByUsername);

  const judge = (account: Account): void => requireRights(rightsOfAccount(account));

  /** Returns the account of a user whom the actor may change. */
  async function requireAccount(reference: UserReference): Promise<Account> {
    const account = await find(reference);
    judge(account);
    return account;
  }

  /** @param work returns whether it has changed anything */
  async function change(
    kind: ChangeKind,
    reference: UserReference,
    work: (registry: UserRegistry, held: Held) => Promise<boolean>,
  ): Promise<void> {
    const registry = requireRegistry();
    await changeFound(kind, reference, (held) => work(registry, held));
  }

  /** Makes a change that is possible for users of a team's own table, too. */
  async function changeFound(
    kind: ChangeKind,
    reference: UserReference,
    work: (held: Held) => Promise<boolean>,
  ): Promise<void> {
    const userId = (await adopt(reference)).user.id;
    await changeAny({ kind, isChange: (made: boolean) => made }, userId, actor, (held) => {
      judge(held.account);
      return work(held);
    });
  }

  return {
    actor,
    requireRights,
    verification,
    recordIn,
    recording,
    requireRegistry,
    idOf,
    find,
    adopt,
    judge,
    requireAccount,
    change,
    changeFound,
  };
}
