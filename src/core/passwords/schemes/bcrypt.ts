import { verifySync } from '@node-rs/bcrypt';
import { broken, type StoredPassword } from './scheme.ts';

/** The costs that Janua computes, as logarithms of the number of rounds. 2^15 rounds take more than a second. 4 is bcrypt's own minimum. */
const costs = { least: 4, most: 15 } as const;

/** Excludes `$2x$`, which a faulty implementation wrote. The last character of a salt has four spare bits, which are zero. */
const shape = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}$/;

/**
 * Reads bcrypt's `$2a$`, `$2b$` and `$2y$`, bare or with Django's prefix `bcrypt$`. Undefined for any other scheme. As in every bcrypt,
 * only the first 72 bytes of a password count. A NUL byte does not end the password.
 */
export function parseBcrypt(stored: string): StoredPassword | undefined {
  if (!/^(?:bcrypt\$)?\$2[aby]\$/.test(stored)) return undefined;
  const scheme = 'bcrypt';
  const hash = stored.slice(stored.indexOf('$2'));
  const parts = shape.exec(hash);
  if (parts === null) return broken(scheme);
  const cost = Number(parts[1]);
  if (cost < costs.least || cost > costs.most) return broken(scheme);
  return {
    scheme,
    state: 'weak',
    kind: `${scheme} ${cost}`,
    effort: 2 ** cost / 25,
    matches: (password) => verifySync(password, hash),
  };
}
