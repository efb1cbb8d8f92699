import { asServer } from '../faults/requester.ts';

/**
 * Shares the answer of `read` among all callers within `lifetime`, because many simultaneous reads would fill the memory. A failure is not
 * kept: only the callers that already wait get it.
 * @param lifetime milliseconds
 * @param now milliseconds since 1970
 */
export function shareAnswer<Answer>(read: () => Promise<Answer>, lifetime: number, now: () => number) {
  let latest: { readonly until: number; readonly answer: Promise<Answer> } | undefined;

  async function readOnce(): Promise<Answer> {
    try {
      return await read();
    } catch (error) {
      latest = undefined;
      throw error;
    }
  }

  return {
    get(): Promise<Answer> {
      if (latest === undefined || latest.until <= now())
        latest = { until: now() + lifetime, answer: asServer(readOnce) };
      return latest.answer;
    },
    /** Changes the kept answer, which then needs no other read. */
    adapt(change: (answer: Answer) => Answer): void {
      if (latest === undefined) return;
      const answer = latest.answer.then(change);
      // Those who wait for the former answer get its error.
      answer.catch(() => {});
      latest = { until: latest.until, answer };
    },
  };
}
