/**
 * How far the clocks of processes may differ, in milliseconds. A stored time that lies further in the future was written under a wrong
 * clock.
 */
export const clockTolerance = 60_000;
