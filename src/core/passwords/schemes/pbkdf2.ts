import { pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { django, type KeyEncoding, phc, readDerivedKey, werkzeug } from './derived-key.ts';
import { broken, type StoredPassword } from './scheme.ts';

/**
 * The highest product of iterations and blocks. It takes about a second. It is eight times OWASP's 600,000, because Django raises its own
 * number with each version.
 */
const mostWork = 5_000_000;

/** The bytes of each digest. A key consists of blocks of this length (RFC 8018 section 5.2). */
const digestBytes: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/** The allowed lengths of a key. A shorter key can be guessed. No system writes a longer one. */
const keyBytes = { least: 16, most: 64 } as const;

const encodings: readonly KeyEncoding[] = [
  {
    ...phc,
    shape: /^\$pbkdf2-\w+\$i=(?<iterations>\d{1,10})(?:,l=(?<length>\d{1,3}))?\$(?<salt>[^$]+)\$(?<key>[^$]+)$/,
  },
  // The format of passlib. Without the name of a digest it is SHA-1.
  { ...phc, shape: /^\$pbkdf2(?:-\w+)?\$(?<iterations>\d{1,10})\$(?<salt>[^$]+)\$(?<key>[^$]+)$/ },
  { ...django, shape: /^pbkdf2_\w+\$(?<iterations>\d{1,10})\$(?<salt>[^$]+)\$(?<key>[^$]+)$/ },
  { ...werkzeug, shape: /^pbkdf2:\w+:(?<iterations>\d{1,10})\$(?<salt>[^$]+)\$(?<key>[^$]+)$/ },
];

/** Reads PBKDF2 (RFC 8018) in the formats of passlib, Django and Werkzeug. Undefined for any other scheme. */
export function parsePbkdf2(stored: string): StoredPassword | undefined {
  const prefix = /^(?:\$pbkdf2(?:-(sha1|sha256|sha512))?\$|pbkdf2[_:](sha1|sha256|sha512)[:$])/.exec(stored);
  if (prefix === null) return undefined;
  const digest = prefix[1] ?? prefix[2] ?? 'sha1';
  const scheme = `pbkdf2-${digest}`;
  const derived = readDerivedKey(encodings, stored);
  if (derived === undefined) return broken(scheme);
  const { salt, key, costs } = derived;
  const blockBytes = digestBytes[digest] ?? 0;
  // A truncated key is a valid shorter key and would still match. So its length must be the stated one, or that of the digest.
  const keyFits = key.length === Number(costs.length ?? blockBytes) && (digest !== 'sha1' || key.length === blockBytes);
  if (!keyFits || key.length < keyBytes.least || key.length > keyBytes.most) return broken(scheme);
  const iterations = Number(costs.iterations);
  const work = iterations * Math.ceil(key.length / blockBytes);
  if (iterations < 1 || work > mostWork) return broken(scheme);
  return {
    scheme,
    state: 'weak',
    kind: `${scheme} ${work}`,
    // SHA-512 takes more than twice as long as the others.
    effort: digest === 'sha512' ? work / 4000 : work / 10_000,
    matches: (password) => timingSafeEqual(pbkdf2Sync(password, salt, iterations, key.length, digest), key),
  };
}
