import { parseArgon2 } from './argon2.ts';
import { parseBcrypt } from './bcrypt.ts';
import { parsePbkdf2 } from './pbkdf2.ts';
import { broken, type StoredPassword } from './scheme.ts';
import { parseScrypt } from './scrypt.ts';

const parsers = [parseArgon2, parseBcrypt, parseScrypt, parsePbkdf2];

/** Names for the log, by prefix. Most are fast hashes, which only a new password makes safe. */
const foreign: Readonly<Record<string, string>> = {
  $1$: 'md5crypt',
  $apr1$: 'apr1',
  $5$: 'sha256crypt',
  $6$: 'sha512crypt',
  $7$: 'scrypt-crypt',
  $y$: 'yescrypt',
  $gy$: 'gost-yescrypt',
  $2x$: 'bcrypt-2x',
  $2$: 'bcrypt-2',
  $sha1$: 'sha1crypt',
  $P$: 'phpass',
  $H$: 'phpass',
  $S$: 'drupal7',
  '$bcrypt-sha256$': 'bcrypt-sha256',
  bcrypt_sha256$: 'django-bcrypt-sha256',
};

/** Further hashes that are not computed. Their prefix holds the name. */
const selfNamed = [
  // LDAP's userPassword (RFC 2307).
  /^\{(SSHA|SSHA256|SSHA512|SHA|SHA256|SHA512|SMD5|MD5|CRYPT)\}/,
  /^(crypt|md5|sha1|sha256|sha512)\$/,
  // Known schemes in an unknown form.
  /^(argon2|bcrypt)\$/,
  /^\$(argon2|scrypt|pbkdf2)/,
  /^(pbkdf2)[_:]/,
];

export function parseStoredPassword(stored: string): StoredPassword {
  for (const parse of parsers) {
    const password = parse(stored);
    if (password !== undefined) return password;
  }
  const prefix = Object.keys(foreign).find((beginning) => stored.startsWith(beginning));
  const name = selfNamed.map((shape) => shape.exec(stored)?.[1]).find((found) => found !== undefined);
  return broken(foreign[prefix ?? ''] ?? name?.toLowerCase() ?? 'unknown');
}
