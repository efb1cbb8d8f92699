import { admins, readNames } from '../users/scopes.ts';
import type { SignedIn } from './access.ts';
import { type Answer, Refusal } from './refusal.ts';

/** The route wants a scope that the request does not have (RFC 6750 3.1). */
export const insufficientScope: Answer = {
  name: 'insufficient-scope',
  status: 403,
  error: 'insufficient_scope',
  detail: 'You lack the permission for this',
};

/** A token that was given away must not change how its owner signs in. */
export const limitedToken: Answer = {
  name: 'limited-token',
  status: 403,
  error: 'insufficient_scope',
  detail: 'This token may not change the account. Log in without scope',
};

/** Users or groups with more scopes than the administrator's own. */
export const beyondOwn: Answer = {
  name: 'beyond-own',
  status: 403,
  error: 'insufficient_scope',
  detail: 'You may not change what grants more permissions than you have',
  event: { kind: 'permission-refused', reason: 'beyond-own' },
};

/** What of the asked-for scopes a user has (RFC 6749 3.3). Undefined if none was asked for: the token then carries all that the user has. */
export function grantScope(asked: string | undefined, held: readonly string[]): string | undefined {
  const names = readNames(asked);
  return names.length === 0 ? undefined : held.filter((scope) => names.includes(scope)).join(' ');
}

/** Why a route refuses a signed-in user. Undefined if it does not. @param wants the scope of the route, and whether it changes an account */
export function findLack(
  { scopes, limited }: SignedIn,
  wants: { readonly scope?: string | undefined; readonly changesAccount?: boolean | undefined },
) {
  const { scope, changesAccount } = wants;
  if (scope !== undefined && !scopes.includes(scope))
    return {
      answer: { ...insufficientScope, detail: `You lack the permission ${scope}`, scope },
      reason: limited ? 'not-in-token' : 'not-granted',
    } as const;
  return changesAccount && limited ? ({ answer: limitedToken, reason: 'limited-token' } as const) : undefined;
}

/** No one may change a user or group whose scopes, before or after, exceed their own. @param changed the scopes before, and those after */
export const mayChange = ({ user, scopes, limited }: SignedIn, ...changed: readonly (readonly string[])[]): boolean =>
  (user.groups.includes(admins) && !limited) || changed.flat().every((scope) => scopes.includes(scope));

/** @throws {Refusal} `beyond-own` */
export function requireMayChange(signedIn: SignedIn, ...changed: readonly (readonly string[])[]): void {
  if (!mayChange(signedIn, ...changed)) throw new Refusal(beyondOwn);
}
