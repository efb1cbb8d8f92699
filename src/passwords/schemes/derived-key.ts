/** Decodes a text; undefined if the text is not the canonical spelling of its bytes. */
type Reader = (text: string) => Buffer | undefined;

/** A way to write down a derived key. The named groups of its shape are `salt`, `key` and what the key costs. */
export interface KeyEncoding {
  readonly shape: RegExp;
  readonly salt: Reader;
  readonly key: Reader;
}

/** A salted key that was derived from a password, as a database keeps it. */
export interface DerivedKey {
  readonly salt: Buffer;
  readonly key: Buffer;
  readonly costs: Readonly<Record<string, string | undefined>>;
}

export const text: Reader = (salt) => Buffer.from(salt, 'utf8');

export const hex: Reader = (digits) => (/^(?:[0-9a-f]{2})+$/.test(digits) ? Buffer.from(digits, 'hex') : undefined);

/** Base64 with its padding (RFC 4648 section 4), as Django writes keys. */
export const paddedBase64: Reader = (encoded) => {
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.toString('base64') === encoded ? bytes : undefined;
};

/** Base64 without padding (PHC string format), also with the `.` that passlib writes for `+`. */
export const bareBase64: Reader = (encoded) => {
  const bytes = Buffer.from(encoded.replaceAll('.', '+'), 'base64');
  return bytes.toString('base64').replaceAll('=', '') === encoded.replaceAll('.', '+') ? bytes : undefined;
};

/** Reads a stored key in the first encoding that has its shape. */
export function readDerivedKey(encodings: readonly KeyEncoding[], stored: string): DerivedKey | undefined {
  for (const encoding of encodings) {
    const costs = encoding.shape.exec(stored)?.groups;
    if (costs === undefined) continue;
    const salt = encoding.salt(costs.salt ?? '');
    const key = encoding.key(costs.key ?? '');
    return salt === undefined || key === undefined ? undefined : { salt, key, costs };
  }
  return undefined;
}
