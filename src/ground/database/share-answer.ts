import { asServer } from '../faults/requester.ts';

/**
 * Shares an answer among all callers within some time, because many simultaneous reads would fill the memory. Only callers that already
 * wait share a failure.
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
    forget(): void {
      latest = undefined;
    },
  };
}
