import type { Binding, Challenges } from './challenges.ts';
import { type readAssertion, readRegistration } from './credential-response.ts';

/** EdDSA, ES256 and RS256. The library's own list has one more, and Node warns that it is experimental. */
export const algorithmIds = [-8, -7, -257];

export interface CeremonyOptions {
  /** The domain that passkeys belong to. */
  readonly domain: string;
  /** A set that fills later, because a free port is known only when the app listens. */
  readonly origins: ReadonlySet<string>;
  readonly challenges: Challenges;
}

/** A passkey that an authenticator has just made. */
export interface NewPasskey {
  /** base64url, like the key. */
  readonly credentialId: string;
  /** COSE. */
  readonly publicKey: string;
  readonly counter: number;
  /** Whether the key may be copied to other devices, and whether it has been. */
  readonly syncable: boolean;
  readonly synced: boolean;
  readonly transports: readonly string[];
  readonly aaguid: string;
}

/** A passkey that was used. */
export type UsedPasskey = Pick<NewPasskey, 'counter' | 'synced'>;

type Library = Awaited<ReturnType<typeof load>>;

/** Loaded at the first ceremony, because few processes need it, and it takes 8 MB. */
async function load() {
  const [server, helpers] = await Promise.all([
    import('@simplewebauthn/server'),
    import('@simplewebauthn/server/helpers'),
  ]);
  return { ...server, ...helpers };
}

/** Checks what browsers send (WebAuthn 7.1, 7.2). It may be anything: the library's errors become refusals. */
export function createCeremonies({ domain, origins, challenges }: CeremonyOptions) {
  const expected = (challenge: string) => ({
    expectedChallenge: challenge,
    expectedOrigin: [...origins],
    expectedRPID: domain,
    requireUserVerification: true,
  });

  return {
    /** Nothing attests the passkey: Janua takes any authenticator. @throws {Unavailable} */
    async verifyNew(sent: unknown, binding: Binding): Promise<NewPasskey | undefined> {
      const { response, challenge } = readRegistration(sent) ?? {};
      if (response === undefined || !challenges.holds(challenge, binding)) return undefined;
      const library = await load();
      const passkey = await readNew(library, response, expected(challenge)).catch(() => undefined);
      return passkey && (await challenges.useUp(challenge)) ? passkey : undefined;
    },

    /** @param stored the passkey of that id. @throws {Unavailable} */
    async verifyUse(
      { response, challenge }: NonNullable<ReturnType<typeof readAssertion>>,
      stored: Pick<NewPasskey, 'credentialId' | 'publicKey' | 'syncable'>,
      binding: Binding,
    ): Promise<UsedPasskey | 'expired-challenge' | 'invalid-response'> {
      if (!challenges.holds(challenge, binding)) return 'expired-challenge';
      const { verifyAuthenticationResponse } = await load();
      const publicKey = new Uint8Array(Buffer.from(stored.publicKey, 'base64url'));
      // The counter is judged when it is stored.
      const credential = { id: stored.credentialId, publicKey, counter: 0 };
      const verified = await verifyAuthenticationResponse({ ...expected(challenge), response, credential }).catch(
        () => undefined,
      );
      if (!verified?.verified) return 'invalid-response';
      const { newCounter: counter, credentialDeviceType, credentialBackedUp: synced } = verified.authenticationInfo;
      // Whether a key may be copied never changes (WebAuthn 7.2).
      if ((credentialDeviceType === 'multiDevice') !== stored.syncable) return 'invalid-response';
      return (await challenges.useUp(challenge)) ? { counter, synced } : 'expired-challenge';
    },
  };
}

async function readNew(
  library: Library,
  { response, ...head }: NonNullable<ReturnType<typeof readRegistration>>['response'],
  expected: { expectedChallenge: string; expectedOrigin: string[]; expectedRPID: string },
): Promise<NewPasskey | undefined> {
  const attestationObject = withoutStatement(library, response.attestationObject);
  const { registrationInfo } = await library.verifyRegistrationResponse({
    ...expected,
    response: { ...head, response: { ...response, attestationObject } },
    supportedAlgorithmIDs: algorithmIds,
  });
  if (registrationInfo === undefined) return undefined;
  const { credential, credentialDeviceType, credentialBackedUp, aaguid } = registrationInfo;
  if (!isWhole(library.isoCBOR.decodeFirst(credential.publicKey))) return undefined;
  return {
    credentialId: credential.id,
    publicKey: Buffer.from(credential.publicKey).toString('base64url'),
    counter: credential.counter,
    syncable: credentialDeviceType === 'multiDevice',
    synced: credentialBackedUp,
    transports: response.transports ?? [],
    aaguid,
  };
}

/** Drops a statement that we did not ask for. To check one, the library would fetch lists of revoked certificates. */
function withoutStatement({ decodeAttestationObject, isoBase64URL, isoCBOR }: Library, sent: string): string {
  const authData = decodeAttestationObject(isoBase64URL.toBuffer(sent)).get('authData');
  const bare = new Map<string, string | Uint8Array | Map<string, string>>([
    ['fmt', 'none'],
    ['attStmt', new Map<string, string>()],
    ['authData', authData],
  ]);
  return isoBase64URL.fromBuffer(isoCBOR.encode(bare));
}

/**
 * Whether the public key has all its parts. The library takes what is left of a part that was cut off.
 * @param key COSE (RFC 9053 7, RFC 8230 4)
 */
function isWhole(key: ReadonlyMap<number, unknown>): boolean {
  const [alg, curve, first, second] = [3, -1, -2, -3].map((label) => key.get(label));
  if (alg === -8) return curve === 6 && sizeOf(first) === 32;
  if (alg === -7) return curve === 1 && sizeOf(first) === 32 && sizeOf(second) === 32;
  // Of RSA, they are the modulus and the exponent.
  return sizeOf(curve) >= 256 && first instanceof Uint8Array && Buffer.from(first).toString('hex') === '010001';
}

const sizeOf = (part: unknown): number => (part instanceof Uint8Array ? part.length : 0);
