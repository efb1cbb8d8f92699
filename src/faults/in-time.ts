/** What a step that took too long fails with. */
const noAnswer = (milliseconds: number) => new Error(`no answer within ${milliseconds / 1000} s`);

/** Waits for work at most so many milliseconds. Late work goes on, and its result is ignored. */
export function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(noAnswer(milliseconds)), milliseconds);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}
