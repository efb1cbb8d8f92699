import type { Passwords } from '../../../src/core/passwords/passwords.ts';
import type { TakeTurn, Turn } from '../../../src/ground/faults/turns.ts';

/** Work that shares its turns with no other. */
export const alone = { places: [], parties: [] };

export const anyTurn = {} as Turn;

export const takeTurnAtOnce: TakeTurn = (_work, run) => run(anyTurn);

/** Compares a password in a turn of its own. */
export const check = (passwords: Passwords, storedHash: string | undefined, password: string) =>
  passwords.takeTurn(alone, (turn) => passwords.check(turn, storedHash, password));

export const hashOf = (passwords: Passwords, password: string) => passwords.hash(alone, password, async () => {});
