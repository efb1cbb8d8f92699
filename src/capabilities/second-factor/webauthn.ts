import type {
  AuthenticationResponseJSON,
  RegistrationResponseJSON,
  VerifyAuthenticationResponseOpts as Verification,
} from '@simplewebauthn/server';
import type { PasskeysTable } from '../../ground/database/schema.ts';

/** EdDSA, ES256 and RS256. The library's own list has another algorithm, and Node warns that it is experimental. */
export const algorithmIds = [-8, -7, -257];

/** A passkey that an authenticator has just made, in columns of its row. */
export interface NewPasskey
  extends Pick<PasskeysTable, 'credential_id' | 'public_key' | 'counter' | 'transports' | 'aaguid'> {
  readonly syncable: boolean;
  readonly synced: boolean;
}

/** The values that the browser must have signed. */
type Expected = Required<
  Pick<Verification, 'expectedChallenge' | 'expectedOrigin' | 'expectedRPID' | 'requireUserVerification'>
>;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Longest parts of a credential, in characters of base64url. Anyone can send parts to decode, so they are limited. An id has at most 1,023
 * bytes (WebAuthn Level 3, 5.1), an RSA signature 512, and authenticator data 37 bytes and its extensions.
 */
const mostCharacters = {
  id: 1_364,
  clientDataJSON: 4_096,
  attestationObject: 8_192,
  authenticatorData: 1_024,
  signature: 1_024,
} as const;

type Part = keyof typeof mostCharacters;

/**
 * The most bytes of authenticator data when a passkey is registered. They hold the id of the credential, its public key (one of RSA is the
 * longest), and extensions.
 */
const mostNewData = 2_048;

const isBase64 = (value: unknown, part: Part): value is string =>
  typeof value === 'string' && value.length <= mostCharacters[part] && /^[\w-]+$/.test(value);

/**
 * Reads the JSON of a credential, as an object or as its text, and its challenge. Verifies nothing yet.
 * @returns undefined if it is no credential with these parts
 */
export function readCredential(sent: unknown, ...parts: Part[]) {
  const { id, type, response } = toFields(typeof sent === 'string' ? parse(sent) : sent);
  const fields = toFields(response);
  const { clientDataJSON } = fields;
  if (type !== 'public-key' || !isBase64(id, 'id') || !isBase64(clientDataJSON, 'clientDataJSON')) return undefined;
  if (!parts.every((part) => isBase64(fields[part], part))) return undefined;
  const { challenge, crossOrigin } = toFields(parse(Buffer.from(clientDataJSON, 'base64url').toString()));
  // Janua's pages never work in a frame.
  if (crossOrigin === true) return undefined;
  return { id, rawId: id, type, clientExtensionResults: {}, response: fields, challenge } as const;
}

export type ReadCredential = NonNullable<ReturnType<typeof readCredential>>;

const toFields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Loaded at the first use of a passkey, because few processes need it, and it takes 8 MB. */
const load = async () => ({
  ...(await import('@simplewebauthn/server')),
  ...(await import('@simplewebauthn/server/helpers')),
});

type Library = Awaited<ReturnType<typeof load>>;

/**
 * Verifies a new credential (WebAuthn 7.1). Janua accepts any authenticator, so it needs no attestation.
 * @param read with an `attestationObject`
 * @throws {Error} of any kind, because the credential may be anything
 */
export async function verifyRegistration(read: ReadCredential, expected: Expected): Promise<NewPasskey | undefined> {
  const library = await load();
  const credential = read as unknown as RegistrationResponseJSON;
  const attestationObject = withoutStatement(library, credential.response.attestationObject);
  const { registrationInfo } = await library.verifyRegistrationResponse({
    ...expected,
    response: { ...credential, response: { ...credential.response, attestationObject } },
    supportedAlgorithmIDs: algorithmIds,
  });
  if (registrationInfo === undefined) return undefined;
  const { credential: made, credentialDeviceType, credentialBackedUp: synced, aaguid } = registrationInfo;
  if (!isWhole(library.isoCBOR.decodeFirst(made.publicKey))) return undefined;
  const { transports } = read.response;
  return {
    credential_id: made.id,
    public_key: Buffer.from(made.publicKey).toString('base64url'),
    counter: made.counter,
    syncable: credentialDeviceType === 'multiDevice',
    synced,
    aaguid,
    transports: knownTransports.filter((one) => Array.isArray(transports) && transports.includes(one)).join(' '),
  };
}

const knownTransports = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'];

/**
 * Verifies the use of a credential (WebAuthn 7.2), except for the counter, which is checked when it is stored.
 * @param read with `authenticatorData` and `signature`
 * @throws {Error} of any kind, because the credential may be anything
 */
export async function verifyAssertion(
  read: ReadCredential,
  stored: Pick<NewPasskey, 'public_key' | 'syncable'>,
  expected: Expected,
): Promise<Pick<NewPasskey, 'counter' | 'synced'> | undefined> {
  const publicKey = new Uint8Array(Buffer.from(stored.public_key, 'base64url'));
  const { verified, authenticationInfo } = await (await load()).verifyAuthenticationResponse({
    ...expected,
    response: read as unknown as AuthenticationResponseJSON,
    credential: { id: read.id, publicKey, counter: 0 },
  });
  const { newCounter: counter, credentialDeviceType, credentialBackedUp: synced } = authenticationInfo;
  // A passkey that may be copied between devices stays so, and any other never becomes one (WebAuthn Level 3, 6.1.3).
  const isSameKind = (credentialDeviceType === 'multiDevice') === stored.syncable;
  return verified && isSameKind ? { counter, synced } : undefined;
}

/** Drops an attestation statement, which Janua never requests. To check it, the library would fetch lists of revoked certificates. */
function withoutStatement({ decodeAttestationObject, isoBase64URL, isoCBOR }: Library, sent: string): string {
  const authData = decodeAttestationObject(isoBase64URL.toBuffer(sent)).get('authData');
  if (authData.length > mostNewData) throw new RangeError('the data of the authenticator is too long');
  const parts = { fmt: 'none', attStmt: new Map<string, string>(), authData };
  return isoBase64URL.fromBuffer(isoCBOR.encode(new Map(Object.entries(parts))));
}

/** Tells whether a COSE key has all its parts (RFC 9053 7, RFC 8230 4). The library accepts a part that was cut off. */
function isWhole(key: ReadonlyMap<number, unknown>): boolean {
  const [alg, curve, first, second] = [3, -1, -2, -3].map((label) => key.get(label));
  if (alg === -8) return curve === 6 && sizeOf(first) === 32;
  if (alg === -7) return curve === 1 && sizeOf(first) === 32 && sizeOf(second) === 32;
  // For RSA, -1 is the modulus and -2 the exponent.
  return sizeOf(curve) >= 256 && first instanceof Uint8Array && Buffer.from(first).toString('hex') === '010001';
}

const sizeOf = (part: unknown): number => (part instanceof Uint8Array ? part.length : 0);
