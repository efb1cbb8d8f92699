/** After so many milliseconds without a replacement, the next one happens at once again. */
const calmAfter = 60_000;

const firstPause = 1000;
const longestPause = 30_000;

/** The milliseconds before an ended worker is replaced: 0 for the first in a minute, then 1, 2, 4, up to 30 seconds. */
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
