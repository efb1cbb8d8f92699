/** What a step that took too long fails with. */
export const noAnswer = (milliseconds: number) => new Error(`no answer within ${milliseconds / 1000} s`);

/** Waits for work so many milliseconds at most. It goes on behind our back, and what comes of it then is nobody's concern. */
export async function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(noAnswer(milliseconds)), milliseconds);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
