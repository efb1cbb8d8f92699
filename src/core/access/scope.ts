import { readNames } from '../users/scopes.ts';
import type { Presented, SignedIn } from './access.ts';
import { isPersonalToken } from './personal-tokens.ts';
import type { Answer } from './refusal.ts';

/** The route requires a scope that the request does not have (RFC 6750 3.1). */
export const insufficientScope: Answer = {
  name: 'insufficient-scope',
  status: 403,
  error: 'insufficient_scope',
  detail: 'You lack the permission for this',
};

/** A limited token may be in the hands of another program. It must not change how its owner signs in, nor export the account. */
export const limitedToken: Answer = {
  name: 'limited-token',
  status: 403,
  error: 'insufficient_scope',
  detail: 'This token may not change or export the account. Log in without scope',
};

/** The route of an app accepts the user, but no program of the user. */
const personalTokenRefused: Answer = {
  name: 'personal-token-refused',
  status: 403,
  error: 'insufficient_scope',
  detail: 'This takes no personal access token. Log in',
};

/**
 * Returns the requested scopes that the user has (RFC 6749 3.3). Undefined if none was requested: the token then carries all scopes of the
 * user.
 */
export function grantScope(asked: string | undefined, held: readonly string[]): string | undefined {
  const names = readNames(asked);
  return names.length === 0 ? undefined : held.filter((scope) => names.includes(scope)).join(' ');
}

/** The requirements of a route for signed-in users. */
interface RouteRequirements {
  readonly scope?: string | undefined;
  readonly refusesLimited?: boolean | undefined;
  readonly personalTokens?: boolean | undefined;
}

/** The reason tells `janua explain` who can add the scope: an administrator of groups, the maker of the token, or the one of the program. */
const reasonOfLack = ({ limited, machine }: SignedIn) => {
  if (machine !== undefined) return 'program-lacks-scope';
  return limited ? 'not-in-token' : 'not-granted';
};

/** Returns the answer and the reason if a route refuses a signed-in user. Otherwise undefined. */
export function findRefusal(
  signedIn: SignedIn,
  { scope, refusesLimited, personalTokens = true }: RouteRequirements,
  { accessToken }: Presented,
) {
  const { scopes, limited } = signedIn;
  if (!personalTokens && isPersonalToken(accessToken))
    return { answer: personalTokenRefused, reason: 'personal-token' } as const;
  if (scope !== undefined && !scopes.includes(scope))
    return {
      answer: { ...insufficientScope, detail: `You lack the permission ${scope}`, scope },
      reason: reasonOfLack(signedIn),
    } as const;
  return refusesLimited && limited ? ({ answer: limitedToken, reason: 'limited-token' } as const) : undefined;
}
