import { subjectShape } from '../../capabilities/upstream/profile.ts';
import type { ImportedIdentity } from '../../core/users/imported-user.ts';
import { maxUsernameLength, personName } from '../../core/users/user.ts';
import type { readUpstreams } from '../../ground/config/upstreams-file.ts';
import { type Json, objectOf, textOf } from './values.ts';

type Upstream = ReturnType<typeof readUpstreams>[number];

/** A provider of Keycloak, by which its users signed in. */
export interface Broker {
  readonly alias: string;
  readonly kind: string;
  readonly issuer: string;
}

export const readBroker = (provider: Json): Broker => ({
  alias: textOf(provider, 'alias'),
  kind: textOf(provider, 'providerId'),
  issuer: textOf(objectOf(provider, 'config'), 'issuer'),
});

/** The providers whose users Keycloak knows by the `sub` that Janua gets from them. Microsoft's are known by other ids. */
const sameKinds = ['google', 'github', 'gitlab'];

/** Tells whether both are the same provider. An alias alone is only a name, and another provider may give the ids to other people. */
function isSame({ kind, issuer }: Broker, upstream: Upstream): boolean {
  if (sameKinds.includes(kind)) return upstream.kind === kind;
  return kind.endsWith('oidc') && upstream.kind !== 'microsoft' && issuer !== '' && upstream.issuer === issuer;
}

/**
 * Reads a link of a user with an account at another provider.
 * @returns undefined unless a provider of that name is configured here, and is the same
 * @throws {ChangeRefused} if a value has another type
 */
export function readIdentity(
  link: Json,
  brokers: ReadonlyMap<string, Broker>,
  upstreams: readonly Upstream[],
): ImportedIdentity | undefined {
  const alias = textOf(link, 'identityProvider');
  const subject = textOf(link, 'userId');
  const [broker, upstream] = [brokers.get(alias), upstreams.find(({ id }) => id === alias)];
  if (broker === undefined || upstream === undefined || !isSame(broker, upstream)) return undefined;
  if (!subjectShape.test(subject)) return undefined;
  const name = (personName(textOf(link, 'userName')) || subject).slice(0, maxUsernameLength);
  return { upstream: upstream.id, issuer: upstream.issuer, subject, name };
}
