/** Without a replacement for so long, the next is at once again, in milliseconds. */
const calmAfter = 60_000;

const firstPause = 1000;
const longestPause = 30_000;

/**
 * Milliseconds to wait before replacing workers that ended: none for the first time in a minute, then 1, 2, 4, up to 30 seconds. It
 * never gives up, so that the server recovers by itself when the cause is gone.
 */
export function createReplacementPace(now: () => number = Date.now): () => number {
  let pause = 0;
  let latest = Number.NEGATIVE_INFINITY;
  return () => {
    const isCalm = now() - latest > calmAfter;
    pause = isCalm ? 0 : Math.min(Math.max(pause * 2, firstPause), longestPause);
    latest = now() + pause;
    return pause;
  };
}
