import { maxUsernameLength, newEmailAddress, personName } from '../../core/users/user.ts';
import type { Claims, Profile, Upstream } from './upstream.ts';

/** Microsoft's tenant of all personal accounts. */
const personalTenant = '9188040d-6c67-4c5b-b112-36a304b66dad';

/** A `sub` or `iss` (OpenID Connect Core 1.0, 2). */
export const subjectShape = /^[\x21-\x7e]{1,255}$/;

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Reads the user from verified claims. Undefined if they name no user of this provider. */
export function readProfile(upstream: Upstream, claims: Claims): Profile | undefined {
  const subject = subjectOf(upstream, claims);
  const issuer = textOf(claims.iss);
  if (!subjectShape.test(subject) || !subjectShape.test(issuer)) return undefined;
  const name = ['email', 'preferred_username', 'name'].map((claim) => textOf(claims[claim])).find(Boolean) ?? subject;
  const address = newEmailAddress(textOf(claims.email));
  const isTrusted = address !== undefined && isVerified(upstream, claims) && isTrustedFor(upstream, address, claims);
  const factors = [claims.acr, claims.amr].flat();
  return {
    issuer,
    subject,
    name: (personName(name) ?? subject).slice(0, maxUsernameLength),
    firstName: personName(textOf(claims.given_name) || textOf(claims.name)) ?? '',
    lastName: personName(textOf(claims.family_name)) ?? '',
    trustedAddress: isTrusted ? address : undefined,
    isSecondFactor: upstream.countsAsSecondFactor.some((value) => factors.includes(value)),
  };
}

/** Microsoft's `sub` differs between clients. Its `oid` identifies the user within a tenant. */
function subjectOf({ kind, tenant }: Upstream, { sub, tid, oid }: Claims): string {
  if (kind !== 'microsoft') return textOf(sub);
  const [actual, user] = [textOf(tid), textOf(oid)];
  const isPersonal = actual === personalTenant;
  const isAllowed =
    { common: true, organizations: !isPersonal, consumers: isPersonal }[tenant ?? ''] ?? actual === tenant;
  return isAllowed && actual !== '' && user !== '' ? `${actual}+${user}` : '';
}

/**
 * Microsoft verifies no address, and administrators of any tenant can write them. With several tenants, `xms_edov` tells whether the tenant
 * owns the domain.
 */
function isVerified({ kind, tenant = '' }: Upstream, { email_verified: verified, xms_edov: owned }: Claims): boolean {
  if (kind !== 'microsoft') return verified === true;
  return !['common', 'organizations', 'consumers'].includes(tenant) || [true, 1, '1', 'true'].includes(owned as string);
}

/**
 * Tells whether the issuer is trusted for the domain of the address. Without `trustedDomains`, only Google is: for its own domain, and for
 * the domains that it manages (`hd`).
 */
function isTrustedFor({ kind, trustedDomains }: Upstream, address: string, { hd }: Claims): boolean {
  const domain = address.slice(address.indexOf('@') + 1);
  if (trustedDomains !== undefined) return trustedDomains.includes('*') || trustedDomains.includes(domain);
  return kind === 'google' && (domain === 'gmail.com' || domain === hd);
}
