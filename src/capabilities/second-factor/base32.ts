const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The alphabet of RFC 4648 6, for authenticator apps. */
export const rfc4648 = `${letters}234567`;

/** Crockford's alphabet has no letters that look like digits. */
export const crockford = `0123456789${letters.replaceAll(/[ILOU]/g, '')}`;

/** Encodes bytes. Their number must be a multiple of five, so there is no padding. */
export function toBase32(bytes: Buffer, alphabet: string): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits.replaceAll(/.{5}/g, (five) => alphabet.charAt(Number.parseInt(five, 2)));
}

/** Reads Base32 (RFC 4648 6). Empty for any other text. */
export function fromBase32(text: string): Buffer {
  const values = [...text.replace(/=+$/, '').toUpperCase()].map((letter) => rfc4648.indexOf(letter));
  if (values.includes(-1)) return Buffer.alloc(0);
  const bits = values.map((value) => value.toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/[01]{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2)));
}
