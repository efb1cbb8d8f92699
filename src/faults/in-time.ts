/** What a step that took too long fails with. */
const noAnswer = (milliseconds: number) => new Error(`no answer within ${milliseconds / 1000} s`);

/** Waits for work at most so many milliseconds. Late work goes on, and its result is ignored. */
export async function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(noAnswer(milliseconds)), milliseconds);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
