import { Unavailable } from '../faults/unavailable.ts';

/** Whether a load balancer should send requests here. */
export interface Readiness {
  /** The parts that are unavailable, by name; none when all is well. */
  findUnavailable(): Promise<readonly string[]>;
  /** From now on the answer is no: the process is about to end. */
  stop(): void;
}

/** Milliseconds for which an answer is repeated. Any client may ask, and a check writes to the stores. */
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
