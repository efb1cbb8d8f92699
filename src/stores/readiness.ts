import { Unavailable } from '../faults/unavailable.ts';

/** Whether requests should be sent here: asked by a load balancer, so that it is cheap however often. */
export interface Readiness {
  /** The parts that are unavailable, by name; none when all is well. */
  findUnavailable(): Promise<readonly string[]>;
  /** From now on the answer is no: the process is about to end. */
  stop(): void;
}

/** How long an answer is given again, in milliseconds: anybody may ask, and asking writes. */
const freshness = 500;

/** @param checks by the name of their part; each throws while it cannot be used, `Unavailable` where it knows better whose fault it is */
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
