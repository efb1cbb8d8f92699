import { randomBytes } from 'node:crypto';

const maxTime = 2 ** 48 - 1;

/**
 * Returns a function that makes UUIDs of version 7 from times in milliseconds. They are in order even within one millisecond (RFC 9562
 * 6.2), while those of Node are not.
 */
export function createEventIds(): (time: number) => string {
  let last = 0;
  let counter = 0;
  return (time) => {
    // Beyond 4096 in one millisecond, identifiers are still unique but no longer in order.
    counter = time === last ? Math.min(counter + 1, 0xfff) : 0;
    last = time;
    const random = randomBytes(8);
    random[0] = ((random[0] ?? 0) & 0x3f) | 0x80;
    const rest = random.toString('hex');
    return `${prefixOf(time)}-7${counter.toString(16).padStart(3, '0')}-${rest.slice(0, 4)}-${rest.slice(4)}`;
  };
}

/** Returns the smallest identifier that an event of this time can have. Every earlier event has a smaller one. */
export const firstIdAt = (time: number) => `${prefixOf(time)}-7000-8000-000000000000`;

function prefixOf(time: number): string {
  const hex = Math.min(Math.max(Math.trunc(time), 0), maxTime)
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
