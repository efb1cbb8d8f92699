import { parseArgon2 } from './argon2.ts';
import { parseBcrypt } from './bcrypt.ts';
import { parsePbkdf2 } from './pbkdf2.ts';
import { broken, type StoredPassword } from './scheme.ts';
import { parseScrypt } from './scrypt.ts';

const parsers = [parseArgon2, parseBcrypt, parseScrypt, parsePbkdf2];

/**
 * The prefixes that the log may show of a hash that Janua cannot compute. Most belong to fast hashes, whose users need a new password.
 * Other prefixes are not logged, because they may be part of the hash.
 */
const beginnings = [
  // The prefixes of crypt(5), passlib and phpass.
  /^\$(?:1|2x?|5|6|7|y|gy|apr1|sha1|P|H|S|bcrypt-sha256|argon2\w{0,2}|scrypt|pbkdf2(?:-\w{1,8})?)\$/,
  // The prefixes of LDAP's userPassword (RFC 2307).
  /^\{(?:S?SHA(?:256|512)?|S?MD5|CRYPT)\}/,
  // The prefixes of Django and Werkzeug.
  /^(?:crypt|md5|sha1|sha256|sha512|argon2|bcrypt|bcrypt_sha256)\$/,
  /^(?:scrypt|pbkdf2)[_:]/,
];

export function parseStoredPassword(stored: string): StoredPassword {
  for (const parse of parsers) {
    const password = parse(stored);
    if (password !== undefined) return password;
  }
  const found = beginnings.map((beginning) => beginning.exec(stored)?.[0]).find((text) => text !== undefined);
  return broken(found ?? 'unknown');
}
