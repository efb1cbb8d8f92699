import { admins, type RequireRights, type Rights } from '../users/scopes.ts';
import type { SignedIn } from './access.ts';
import { type Answer, Refusal } from './refusal.ts';

/** The change concerns a user, a group or a client with rights that the administrator lacks, or would give such rights. */
export const beyondOwn: Answer = {
  name: 'beyond-own',
  status: 403,
  error: 'insufficient_scope',
  detail: 'You may not change or give groups and scopes that you lack',
  event: { kind: 'permission-refused', reason: 'beyond-own' },
};

/** The same answer to a program. The advice to its administrator is another. */
const beyondProgram: Answer = { ...beyondOwn, event: { kind: 'permission-refused', reason: 'beyond-program' } };

/** A member of `admins` holds all rights, unless the credential carries only some scopes. */
export const holdsAll = ({ user, limited }: SignedIn): boolean => user.groups.includes(admins) && !limited;

/** Checks whether a request holds all of these rights: the groups of its user, and the scopes that its credential carries. */
export const holds = (signedIn: SignedIn, rights: Rights): boolean =>
  holdsAll(signedIn) ||
  (rights.groups.every((group) => signedIn.user.groups.includes(group)) &&
    // A program gives none of Janua's scopes: its groups do not bound what a person does with them.
    rights.scopes.every((scope) => (signedIn.machine ?? signedIn).scopes.includes(scope)) &&
    (signedIn.machine === undefined || isReached(signedIn, rights)));

/**
 * Tells whether a user or client is one of those that a program acts on: a member of its groups, or a user that it added. It reaches no
 * other user without groups. A program for `staff` would otherwise reach all customers.
 */
const isReached = ({ user }: SignedIn, { groups, addedBy, isTrusted = false }: Rights): boolean =>
  !isTrusted && (addedBy === undefined || groups.length > 0 || addedBy === user.id);

/** Tells whether a request may see a user, group or client. A person who may read one may read all, a program only what it may change. */
export const sees = (signedIn: SignedIn, rights: Rights): boolean =>
  signedIn.machine === undefined || holds(signedIn, rights);

/**
 * Returns the check for every change that an administrator makes to users, groups and clients: the administrator must have all rights of
 * the target, before and after the change. The check throws {Refusal} `beyond-own`. It runs in the transaction of the change, because the
 * target may have got more rights since the request began.
 */
export const requireRightsOf =
  (signedIn: SignedIn): RequireRights =>
  (...changed) => {
    if (!changed.every((rights) => holds(signedIn, rights)))
      throw new Refusal(signedIn.machine ? beyondProgram : beyondOwn);
  };
