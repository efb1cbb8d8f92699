import { type ListedKey, listFailures } from '../../../src/core/access/login-limits.ts';
import type { Throttle } from '../../../src/core/throttle/throttle.ts';

/** Every key with failures. */
export async function allFailures(throttle: Throttle): Promise<ListedKey[]> {
  const found: ListedKey[] = [];
  let from: string | undefined;
  do {
    const { keys, next } = await listFailures(throttle, from);
    found.push(...keys);
    from = next;
  } while (from !== undefined);
  return found;
}
