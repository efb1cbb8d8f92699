/** Without a replacement for so long, the next is at once again, in milliseconds. */
const calmAfter = 60_000;

const firstPause = 1000;
const longestPause = 30_000;

/**
 * How long to wait before those that ended are replaced, in milliseconds: not at all, if it is the first time within a minute, and
 * then a second, two, four, up to half a minute. It never gives up: what ends them may be over, and then nobody has to be woken.
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
