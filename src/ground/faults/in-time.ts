/** Waits for `work`, and rejects after a number of milliseconds. Late work continues, but its result is ignored. */
export function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds / 1000} s`)), milliseconds);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}
