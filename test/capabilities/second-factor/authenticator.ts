import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

type Cbor = number | string | Uint8Array | Map<number | string, Cbor>;

/** Encodes a value as CBOR (RFC 8949), in the shortest form. */
export function encodeCbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  return Buffer.concat([head(5, value.size), ...[...value].flat().map(encodeCbor)]);
}

function head(major: number, size: number): Buffer {
  if (size < 24) return Buffer.from([(major << 5) | size]);
  if (size < 256) return Buffer.from([(major << 5) | 24, size]);
  return Buffer.from([(major << 5) | 25, size >> 8, size & 255]);
}

export const algorithms = ['ES256', 'EdDSA', 'RS256'] as const;

export type Algorithm = (typeof algorithms)[number];

function createKeys(algorithm: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

/** The public key as COSE (RFC 9053). */
function toCose(key: KeyObject, algorithm: Algorithm): Map<number, Cbor> {
  const { x = '', y = '', n = '', e = '' } = key.export({ format: 'jwk' });
  const bytes = (text: string) => Buffer.from(text, 'base64url');
  const fields = {
    ES256: [2, -7, -1, 1, -2, bytes(x), -3, bytes(y)],
    EdDSA: [1, -8, -1, 6, -2, bytes(x)],
    RS256: [3, -257, -1, bytes(n), -2, bytes(e)],
  }[algorithm];
  const [type = 0, id = 0, ...rest] = fields as [number, number, ...Cbor[]];
  const cose = new Map<number, Cbor>([
    [1, type],
    [3, id],
  ]);
  for (let index = 0; index < rest.length; index += 2) cose.set(rest[index] as number, rest[index + 1] ?? 0);
  return cose;
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest();

/** What the authenticator or its browser does in place of the right thing. */
export interface Tricks {
  readonly origin?: string;
  readonly domain?: string;
  readonly type?: string;
  readonly challenge?: unknown;
  readonly isVerified?: boolean;
  readonly isPresent?: boolean;
  readonly counter?: number;
  readonly isSyncable?: boolean;
  readonly isSynced?: boolean;
  readonly userHandle?: string | undefined;
  /** The id that the public key names as its algorithm. */
  readonly algorithmId?: number;
  /** Changes the bytes before they are sent. */
  readonly change?: {
    readonly attestationObject?: (bytes: Buffer) => Buffer;
    readonly authenticatorData?: (bytes: Buffer) => Buffer;
    readonly signature?: (bytes: Buffer) => Buffer;
  };
}

interface Options {
  readonly challenge: string;
}

export interface AuthenticatorOptions extends Pick<Tricks, 'isSyncable' | 'isSynced'> {
  readonly algorithm?: Algorithm;
  readonly aaguid?: string;
  readonly origin?: string;
  readonly domain?: string;
}

/** An authenticator with one passkey, and the browser around it. */
export function createAuthenticator(device: AuthenticatorOptions = {}) {
  const { algorithm = 'ES256', aaguid = '0'.repeat(32) } = device;
  const { privateKey, publicKey } = createKeys(algorithm);
  const id = randomBytes(16);
  let userHandle: string | undefined;
  let counter = 0;

  function clientData(type: string, { challenge }: Options, tricks: Tricks): Buffer {
    const { origin = device.origin ?? 'http://localhost:5000' } = tricks;
    return Buffer.from(
      JSON.stringify({
        type: tricks.type ?? type,
        challenge: tricks.challenge ?? challenge,
        origin,
        crossOrigin: false,
      }),
    );
  }

  function authenticatorData(tricks: Tricks, attested = Buffer.alloc(0)): Buffer {
    const { domain = device.domain ?? 'localhost', isPresent = true, isVerified = true } = tricks;
    const { isSyncable = device.isSyncable ?? false, isSynced = device.isSynced ?? false } = tricks;
    const flags = [isPresent, false, isVerified, isSyncable, isSynced, false, attested.length > 0];
    const data = Buffer.alloc(5);
    data.writeUInt8(flags.reduce((bits, flag, index) => bits | (Number(flag) << index), 0));
    data.writeUInt32BE(tricks.counter ?? counter, 1);
    return Buffer.concat([sha256(domain), data, attested]);
  }

  const credential = (response: Readonly<Record<string, string | string[] | undefined>>) => ({
    id: id.toString('base64url'),
    rawId: id.toString('base64url'),
    type: 'public-key',
    clientExtensionResults: {},
    response,
  });

  const same = (bytes: Buffer) => bytes;

  return {
    id: id.toString('base64url'),
    privateKey,
    get userHandle() {
      return userHandle;
    },
    /** Counts like a device-bound authenticator. A passkey that is synced stays at 0. */
    count(): void {
      counter += 1;
    },
    /** Answers `navigator.credentials.create`. */
    create(options: Options & { readonly user: { readonly id: string } }, tricks: Tricks = {}) {
      userHandle = options.user.id;
      const cose = toCose(publicKey, algorithm);
      if (tricks.algorithmId !== undefined) cose.set(3, tricks.algorithmId);
      const length = Buffer.from([0, id.length]);
      const attested = Buffer.concat([Buffer.from(aaguid.replaceAll('-', ''), 'hex'), length, id, encodeCbor(cose)]);
      const { attestationObject = same } = tricks.change ?? {};
      const object = encodeCbor(
        new Map<string, Cbor>([
          ['fmt', 'none'],
          ['attStmt', new Map()],
          ['authData', authenticatorData(tricks, attested)],
        ]),
      );
      return credential({
        clientDataJSON: clientData('webauthn.create', options, tricks).toString('base64url'),
        attestationObject: attestationObject(object).toString('base64url'),
        transports: ['internal', 'hybrid'],
      });
    },
    /** Answers `navigator.credentials.get`. */
    get(options: Options, tricks: Tricks = {}) {
      const data = authenticatorData(tricks);
      const client = clientData('webauthn.get', options, tricks);
      const signature = sign(
        algorithm === 'EdDSA' ? null : 'sha256',
        Buffer.concat([data, sha256(client)]),
        privateKey,
      );
      const { authenticatorData: changeData = same, signature: changeSignature = same } = tricks.change ?? {};
      return credential({
        clientDataJSON: client.toString('base64url'),
        authenticatorData: changeData(data).toString('base64url'),
        signature: changeSignature(signature).toString('base64url'),
        userHandle: 'userHandle' in tricks ? tricks.userHandle : userHandle,
      });
    },
  };
}
