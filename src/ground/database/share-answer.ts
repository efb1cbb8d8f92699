/**
 * Shares an answer among all who ask within some time, because many who read the same at once would fill the memory. A failure is shared
 * only by those who already wait for it.
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
      if (latest === undefined || latest.until <= now()) latest = { until: now() + lifetime, answer: readOnce() };
      return latest.answer;
    },
    forget(): void {
      latest = undefined;
    },
  };
}
