/** Decodes a text; undefined if the text is not the canonical spelling of its bytes. */
type Reader = (text: string) => Buffer | undefined;

/** The spelling of a derived key. The named groups of its shape are `salt`, `key` and the costs. */
export interface KeyEncoding {
  readonly shape: RegExp;
  readonly salt: Reader;
  readonly key: Reader;
}

const text: Reader = (salt) => Buffer.from(salt, 'utf8');

const hex: Reader = (digits) => (/^(?:[0-9a-f]{2})+$/.test(digits) ? Buffer.from(digits, 'hex') : undefined);

const paddedBase64: Reader = (encoded) => {
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.toString('base64') === encoded ? bytes : undefined;
};

/** Base64 without padding. It also accepts the `.` that passlib writes for `+`. */
const bareBase64: Reader = (encoded) => {
  const bytes = Buffer.from(encoded.replaceAll('.', '+'), 'base64');
  return bytes.toString('base64').replaceAll('=', '') === encoded.replaceAll('.', '+') ? bytes : undefined;
};

/** The PHC string format, as passlib, RustCrypto and npm's packages write it. */
export const phc = { salt: bareBase64, key: bareBase64 };

export const django = { salt: text, key: paddedBase64 };

export const werkzeug = { salt: text, key: hex };

export function readDerivedKey(encodings: readonly KeyEncoding[], stored: string) {
  for (const encoding of encodings) {
    const costs = encoding.shape.exec(stored)?.groups;
    if (costs === undefined) continue;
    const salt = encoding.salt(costs.salt ?? '');
    const key = encoding.key(costs.key ?? '');
    return salt && key && { salt, key, costs };
  }
  return undefined;
}
