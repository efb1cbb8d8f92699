import { verifySync } from '@node-rs/bcrypt';
import { broken, type StoredPassword } from './scheme.ts';

/** The dearest cost that is computed, a logarithm: 2^15 rounds take more than a second. The least is bcrypt's own. */
const costs = { least: 4, dearest: 15 } as const;

/**
 * `$2x$`, which marks hashes of a faulty implementation, is not among them: they do not match the true algorithm's. A salt's last
 * character has four spare bits, which are zero.
 */
const shape = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}$/;

/**
 * Reads bcrypt's `$2a$`, `$2b$` and `$2y$`, bare or behind Django's `bcrypt$`; undefined when it is another scheme. As everywhere,
 * only the first 72 bytes of a password count. A NUL byte counts like any other: it ends no password.
 */
export function parseBcrypt(stored: string): StoredPassword | undefined {
  if (!/^(?:bcrypt\$)?\$2[aby]\$/.test(stored)) return undefined;
  const scheme = 'bcrypt';
  const hash = stored.slice(stored.indexOf('$2'));
  const cost = Number(shape.exec(hash)?.[1]);
  if (!(cost >= costs.least && cost <= costs.dearest)) return broken(scheme);
  return {
    scheme,
    state: 'weak',
    kind: `${scheme} ${cost}`,
    effort: 2 ** cost / 25,
    matches: (password) => verifySync(password, hash),
  };
}
