import { Unavailable } from '../faults/unavailable.ts';

/** Tells whether a load balancer should send requests to this process. */
export interface Readiness {
  /** Gives the names of unavailable parts; none if all parts work. */
  findUnavailable(): Promise<readonly string[]>;
  /** Makes the process unready from now on, because it is about to end. */
  stop(): void;
}

/** Milliseconds for which a result is reused. Any client may ask, and each check writes to the stores. */
const freshness = 500;

/** @param checks each throws while its part is unusable. `Unavailable` may name another part as the cause. */
export function createReadiness(checks: readonly (readonly [part: string, check: () => Promise<void>])[]): Readiness {
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
    async findUnavailable() {
      if (stopping) return ['The server'];
      latest ??= check();
      return latest;
    },
    stop() {
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
