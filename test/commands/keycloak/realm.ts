import { pbkdf2Sync } from 'node:crypto';

/**
 * Realms as Keycloak 26 exports them. The fields are those of its `RealmRepresentation`, `UserRepresentation`, `ClientRepresentation` and
 * `CredentialRepresentation` (core/src/main/java/org/keycloak/representations/idm/ of github.com/keycloak/keycloak), and are written in the
 * order of `ExportUtils`. The folder `exports` has realms that Keycloak 26.4.0 has made itself (real-export.test.ts).
 */
export type Parts = Readonly<Record<string, unknown>>;

export const salt = Buffer.from('0123456789abcdef');

/** Keycloak derives 64 bytes with each digest. The few iterations are for the tests. */
export const pbkdf2 = (password: string, digest = 'sha1', algorithm = 'pbkdf2', iterations = 1000, length = 64) => ({
  type: 'password',
  createdDate: 1_700_000_000_000,
  secretData: JSON.stringify({
    value: pbkdf2Sync(password, salt, iterations, length, digest).toString('base64'),
    salt: salt.toString('base64'),
    additionalParameters: {},
  }),
  credentialData: JSON.stringify({ hashIterations: iterations, algorithm, additionalParameters: {} }),
});

export const appSecret = 'abcdefghij0123456789';

export const otp = (data: Parts = {}, value: unknown = appSecret) => ({
  type: 'otp',
  createdDate: 1_700_000_000_000,
  secretData: JSON.stringify({ value }),
  credentialData: JSON.stringify({
    ...{ subType: 'totp', digits: 6, counter: 0, period: 30, algorithm: 'HmacSHA1' },
    ...data,
  }),
});

export const idOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;

export const user = (index: number, more: Parts = {}) => ({
  id: idOf(index),
  username: `person${index}`,
  firstName: 'Pia',
  lastName: `Last${index}`,
  email: `person${index}@example.com`,
  emailVerified: true,
  enabled: true,
  credentials: [],
  requiredActions: [],
  realmRoles: ['default-roles-wiki'],
  groups: [],
  ...more,
});

export const client = (clientId: string, more: Parts = {}) => ({
  clientId,
  enabled: true,
  clientAuthenticatorType: 'client-secret',
  secret: 'wK7sXq0b2R4nV9mZ1tY6uH3pC8eL5aJd',
  redirectUris: [`https://${clientId}.example.com/callback`],
  standardFlowEnabled: true,
  publicClient: false,
  protocol: 'openid-connect',
  attributes: {},
  ...more,
});

export const group = (name: string, ...subGroups: object[]) => ({ name, path: `/${name}`, subGroups, realmRoles: [] });

/** Each user is on a line of its own. The first one is on line 2. */
export const realm = (users: readonly unknown[], parts: Parts = {}) =>
  `{"realm":"wiki",${JSON.stringify(parts).slice(1, -1)}${Object.keys(parts).length > 0 ? ',' : ''}"users":[\n${users
    .map((one) => JSON.stringify(one))
    .join(',\n')}\n]}`;
