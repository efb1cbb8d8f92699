import { Unavailable } from './unavailable.ts';

/** Whether requests should be sent here: asked by a load balancer, so that it is cheap however often. */
export interface Readiness {
  /** The parts that are unavailable, by name; none when all is well. */
  findUnavailable(): Promise<readonly string[]>;
  /** From now on the answer is no: the process is about to end. */
  stop(): void;
}

/** How long an answer is given again, in milliseconds: anybody may ask, and asking writes. */
const freshness = 500;

/** @param checks each throws `Unavailable` while its part is */
export function createReadiness(checks: readonly (() => Promise<void>)[]): Readiness {
  let stopping = false;
  let latest: Promise<readonly string[]> | undefined;

  async function check(): Promise<readonly string[]> {
    const results = await Promise.allSettled(checks.map(async (work) => work()));
    const parts = results.filter(({ status }) => status === 'rejected').map((result) => partOf(result));
    setTimeout(() => {
      latest = undefined;
    }, freshness).unref();
    return [...new Set(parts)];
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

function partOf(result: PromiseSettledResult<void>): string {
  const reason: unknown = result.status === 'rejected' ? result.reason : undefined;
  return reason instanceof Unavailable ? reason.part : 'A part';
}
