import type { ownScopes } from '../../../core/users/scopes.ts';

/** The grant of a program that acts as itself, without a user (RFC 6749 4.4). */
export interface Machine {
  /** Janua's own scopes. */
  readonly scopes: readonly string[];
  /** The groups on whose members and clients it may use these scopes. */
  readonly within: readonly string[];
  /** Scopes at resources, by the addresses of the resources. */
  readonly may: Readonly<Record<string, readonly string[]>>;
  /** The id of the administrator who granted this. Undefined if a command did. */
  readonly grantedBy?: string | undefined;
}

/** A program may hold these of Janua's scopes. The others show what belongs to no group, such as the audit. */
export const machineScopes: readonly (keyof typeof ownScopes)[] = [
  'users:read',
  'users:write',
  'sessions:write',
  'clients:write',
];

export const machineGrant = 'client_credentials';

/** Seconds that a token for Janua's own API lasts. */
export const machineTokenSeconds = 3600;

/** Most valid tokens of one program. Further ones end the oldest. */
export const mostMachineTokens = 100;

/**
 * Returns the scopes that a program may have at a resource.
 * @param issuer stands for Janua's own API
 */
export const scopesAt = ({ scopes, may }: Machine, resource: string, issuer: string): readonly string[] =>
  resource === issuer ? scopes : (may[resource] ?? []);

/** Returns the only resource for which a program can get a token. Undefined if there are several. */
export function onlyResource({ scopes, may }: Machine, issuer: string): string | undefined {
  const [only, another] = [...(scopes.length > 0 ? [issuer] : []), ...Object.keys(may)];
  return another === undefined ? only : undefined;
}
