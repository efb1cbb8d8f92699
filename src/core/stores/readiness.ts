import { asServer } from '../../ground/faults/requester.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';

/** Milliseconds for which a result is reused, because any client may request it, and each check writes to the stores. */
const freshness = 500;

/**
 * @param checks each throws while its part, such as the database, cannot be used. If it throws `Unavailable`, the part that this error
 * names is reported instead
 */
export function createReadiness(checks: readonly (readonly [part: string, check: () => Promise<void>])[]) {
  let stopping = false;
  let latest: Promise<readonly string[]> | undefined;

  async function check(): Promise<readonly string[]> {
    const parts = await Promise.all(checks.map(([part, work]) => faultyPart(part, work)));
    setTimeout(() => {
      latest = undefined;
    }, freshness).unref();
    return [...new Set(parts.filter((part) => part !== undefined))];
  }

  return {
    async findUnavailable(): Promise<readonly string[]> {
      if (stopping) return ['The server'];
      latest ??= asServer(check);
      return latest;
    },
    stop(): void {
      stopping = true;
    },
  };
}

async function faultyPart(part: string, check: () => Promise<void>): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    return error instanceof Unavailable ? error.part : part;
  }
}
