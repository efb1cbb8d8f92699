/** After so many milliseconds without a replacement, the next one happens at once again. */
const calmAfter = 60_000;

const firstPause = 1000;
const longestPause = 30_000;

/**
 * Gives the milliseconds to wait before replacing a worker that ended: 0 for the first in a minute, then 1, 2, 4, up to 30 seconds.
 * It never gives up. The server recovers by itself when the cause is gone.
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
