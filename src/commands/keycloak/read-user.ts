import { ChangeRefused } from '../../core/users/change-refused.ts';
import { requireHandle } from '../../core/users/handles.ts';
import { type ImportedTotp, type ImportedUser, requireSubject } from '../../core/users/imported-user.ts';
import { requireEmail, requireName } from '../../core/users/require-details.ts';
import { canonicalUsername } from '../../core/users/user.ts';
import type { readUpstreams } from '../../ground/config/upstreams-file.ts';
import { readPassword, readTotp } from './credentials.ts';
import { sourcesOf, type Tell } from './groups.ts';
import { type Broker, readIdentity } from './identities.ts';
import { flagOf, type Json, objectOf, objectsOf, parseObject, textOf, textsOf } from './values.ts';

export interface UserContext {
  /** The groups of the realm by their sources. Undefined for one that is not brought. */
  readonly groups: ReadonlyMap<string, string | undefined>;
  readonly brokers: ReadonlyMap<string, Broker>;
  readonly upstreams: ReturnType<typeof readUpstreams>;
  /** The account that runs the command, which says that addresses are verified. */
  readonly operator: string;
  /** Tells something that does not come with the user. */
  readonly tell: Tell;
  /** Counts something that does not come with many users. */
  readonly count: Tell;
}

/** Tells whether a text is the account of a client itself, and no person. */
export function isServiceAccount(text: string): boolean {
  if (!text.includes('serviceAccountClientId')) return false;
  try {
    return textOf(parseObject(text, 'The user'), 'serviceAccountClientId') !== '';
  } catch {
    // The text is refused when it is read as a user.
    return false;
  }
}

/**
 * Reads a user of an export of Keycloak 26 (`UserRepresentation`).
 * @throws {ChangeRefused} if the user cannot be added, with the reason
 */
export function readUser(user: Json, context: UserContext): ImportedUser {
  const { operator, count } = context;
  const email = textOf(user, 'email');
  const login = textOf(user, 'username');
  if (email === '' && !login.includes('@')) throw new ChangeRefused(`The user ${login} has no e-mail address.`);
  const username = requireEmail(email || login);
  for (const name of Object.keys(objectOf(user, 'attributes'))) count(`attribute ${name}`);
  for (const client of Object.keys(objectOf(user, 'clientRoles'))) count(`roles of the client ${client}`);
  const id = textOf(user, 'id');
  const identities = identitiesOf(user, context);
  return {
    username,
    firstName: requireName(textOf(user, 'firstName')),
    lastName: requireName(textOf(user, 'lastName')),
    ...handleOf(login, username, context),
    groups: groupsOf(user, context),
    disabled: !flagOf(user, 'enabled'),
    addressProof: 'import',
    ...(email !== '' && flagOf(user, 'emailVerified') && { verification: { how: 'command' as const, by: operator } }),
    demo: false,
    ...(id !== '' && { subject: requireSubject(id) }),
    ...(identities.length > 0 && { identities }),
    ...credentialsOf(user, context),
  };
}

/** The name in Keycloak becomes the handle, unless it is the address. */
function handleOf(login: string, username: string, { tell }: UserContext): { readonly handle?: string } {
  if (login === '' || canonicalUsername(login) === username) return {};
  try {
    return { handle: requireHandle(login) };
  } catch (error) {
    if (!(error instanceof ChangeRefused)) throw error;
    tell(`The name ${login} cannot be a handle, so the user signs in with the address alone. ${error.message}`);
    return {};
  }
}

function groupsOf(user: Json, { groups, tell }: UserContext): readonly string[] {
  const names = new Set<string>();
  for (const source of sourcesOf(user)) {
    const name = groups.get(source);
    if (name !== undefined) names.add(name);
    else if (!groups.has(source)) tell(`The export has no group ${source}.`);
  }
  return [...names].sort();
}

function identitiesOf(user: Json, { brokers, upstreams, tell }: UserContext) {
  const identities = new Map<string, NonNullable<ReturnType<typeof readIdentity>>>();
  for (const link of objectsOf(user, 'federatedIdentities')) {
    const identity = readIdentity(link, brokers, upstreams);
    if (identity === undefined || identities.has(identity.upstream))
      tell(
        `The link with ${textOf(link, 'identityProvider')} is not brought: UPSTREAMS_FILE has no such provider with the same issuer.`,
      );
    else identities.set(identity.upstream, identity);
  }
  return [...identities.values()];
}

/** Reads the credentials. What cannot come is told, and the user is added without it. */
function credentialsOf(user: Json, { tell }: UserContext): Pick<ImportedUser, 'passwordHash' | 'totp'> {
  let passwordHash = '';
  let totp: ImportedTotp | undefined;
  for (const credential of objectsOf(user, 'credentials')) {
    const type = textOf(credential, 'type');
    if (type === 'password') {
      const { hash, algorithm } = readPassword(credential);
      // An administrator knows such a password, and it would never have to be changed here.
      const isTemporary = textsOf(user, 'requiredActions').includes('UPDATE_PASSWORD');
      if (isTemporary) tell('The password is not brought, because it was temporary.');
      else if (hash === undefined) tell(`The password is not brought: Janua cannot compute its hash (${algorithm}).`);
      else passwordHash = hash;
      continue;
    }
    const app = type === 'otp' && totp === undefined ? readTotp(credential) : undefined;
    if (app === undefined) tell(reasonOf(type, totp !== undefined));
    totp ??= app;
  }
  return { passwordHash, ...(totp && { totp }) };
}

function reasonOf(type: string, hasApp: boolean): string {
  if (type.startsWith('webauthn')) return 'A passkey is not brought: it works only at the address of Keycloak.';
  if (type !== 'otp') return `A credential of the type ${type} is not brought.`;
  return hasApp
    ? 'A further authenticator app is not brought: a user has one.'
    : 'An authenticator app is not brought: Janua takes six digits each 30 seconds, by SHA-1.';
}
