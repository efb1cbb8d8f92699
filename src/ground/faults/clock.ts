/** Milliseconds by which clocks may differ. A stored time that is further in the future was written under a wrong clock. */
export const clockTolerance = 60_000;
