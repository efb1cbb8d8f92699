import { readNames } from '../users/scopes.ts';
import type { SignedIn } from './access.ts';
import type { Answer } from './refusal.ts';

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

/** A change that would leave no administrator (`users/change-refused.ts`). */
export const lastAdministrator: Answer = {
  name: 'last-administrator',
  status: 409,
  detail: 'This is the last administrator. Make another one first',
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
