import { scryptSync, timingSafeEqual } from 'node:crypto';
import { django, type KeyEncoding, phc, readDerivedKey, werkzeug } from './derived-key.ts';
import { broken, type StoredPassword } from './scheme.ts';

/** The memory, 128·N·r bytes, has the same limit as argon2's. The work, N·r·p, may be twice OWASP's highest, which takes half a second. */
const limits = { memoryBytes: 128 * 1024 * 1024, parallelism: 16, work: 2 ** 21 } as const;

/** Each shape fixes the length of the key, because a truncated key is a valid shorter key and would still match. */
const encodings: readonly KeyEncoding[] = [
  {
    ...phc,
    shape: /^\$scrypt\$ln=(?<ln>\d{1,2}),r=(?<r>\d{1,9}),p=(?<p>\d{1,9})\$(?<salt>[^$]+)\$(?<key>[^$]{43})$/,
  },
  // Django writes the salt after N.
  {
    ...django,
    shape: /^scrypt\$(?<n>\d{1,9})\$(?<salt>[^$]+)\$(?<r>\d{1,9})\$(?<p>\d{1,9})\$(?<key>[^$]{86}==)$/,
  },
  {
    ...werkzeug,
    shape: /^scrypt:(?<n>\d{1,9}):(?<r>\d{1,9}):(?<p>\d{1,9})\$(?<salt>[^$]+)\$(?<key>[^$]{128})$/,
  },
];

/** Reads scrypt (RFC 7914) in the formats of passlib, Django and Werkzeug. Undefined for any other scheme. */
export function parseScrypt(stored: string): StoredPassword | undefined {
  if (!/^(?:\$scrypt\$|scrypt[:$])/.test(stored)) return undefined;
  const scheme = 'scrypt';
  const derived = readDerivedKey(encodings, stored);
  if (derived === undefined) return broken(scheme);
  const { salt, key, costs } = derived;
  const N = costs.ln === undefined ? Number(costs.n) : 2 ** Number(costs.ln);
  const r = Number(costs.r);
  const p = Number(costs.p);
  const tooCostly = 128 * N * r > limits.memoryBytes || p > limits.parallelism || N * r * p > limits.work;
  const isPowerOfTwo = Number.isInteger(Math.log2(N));
  if (tooCostly || N < 2 || !isPowerOfTwo || r < 1 || p < 1) return broken(scheme);
  // OpenSSL counts more than the 128·N·r bytes: one block for each of p, and two for its work.
  const maxmem = 128 * r * (N + p + 2);
  return {
    scheme,
    state: 'weak',
    kind: `${scheme} N=${N},r=${r},p=${p}`,
    effort: (N * r * p) / 4500,
    matches: (password) => timingSafeEqual(scryptSync(password, salt, key.length, { N, r, p, maxmem }), key),
  };
}
