import { parseOptions, verifySync } from '@node-rs/argon2';
import { broken, type StoredPassword } from './scheme.ts';

/** The current cost of a stored password: argon2id, 19 MiB, two passes (OWASP Password Storage CS; ASVS 11.4.2). */
export const currentCost = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 } as const;

/**
 * The highest costs that Janua computes. Memory is in KiB. The work (memory times passes) stays under seven times the current cost, because
 * every failed login takes as long as the costliest hash (`failureFloor`).
 */
export const limits = { memoryCost: 131_072, timeCost: 64, parallelism: 16, work: 262_144 } as const;

const argon2id = 2;
const argon2Version19 = 1;

/** Reads argon2's PHC strings (RFC 9106), bare or with Django's prefix `argon2`. Undefined for any other scheme. */
export function parseArgon2(stored: string): StoredPassword | undefined {
  const scheme = /^(?:argon2)?\$(argon2(?:id|i|d))\$/.exec(stored)?.[1];
  if (scheme === undefined) return undefined;
  const phc = stored.slice(stored.indexOf('$'));
  try {
    const { algorithm, version, memoryCost, timeCost, parallelism, outputLen, saltLen } = parseOptions(phc);
    const work = memoryCost * timeCost;
    const tooCostly =
      memoryCost > limits.memoryCost ||
      timeCost > limits.timeCost ||
      parallelism > limits.parallelism ||
      work > limits.work;
    if (tooCostly || outputLen < 16 || saltLen < 8) return broken(scheme);
    const cheap = work < currentCost.memoryCost * currentCost.timeCost || memoryCost < 7168;
    const weak = cheap || algorithm !== argon2id || version !== argon2Version19 || outputLen < 32 || saltLen < 16;
    return {
      scheme,
      state: weak ? 'weak' : 'current',
      kind: `${scheme} m=${memoryCost},t=${timeCost},p=${parallelism}`,
      effort: work / 2000,
      matches: (password) => verifySync(phc, password),
    };
  } catch {
    return broken(scheme);
  }
}
