import { randomBytes } from 'node:crypto';

const maxTime = 2 ** 48 - 1;

/**
 * Makes identifiers in order of time, given in milliseconds since 1970: UUIDs of version 7 (RFC 9562, 5.7). Those of one
 * millisecond are in the order in which they were made (6.2, method 1), which Node's own are not.
 */
export function createEventIds(): (time: number) => string {
  let last = 0;
  let counter = 0;
  return (time) => {
    // Beyond 4096 in a millisecond they are still different, and in no order.
    counter = time === last ? Math.min(counter + 1, 0xfff) : 0;
    last = time;
    const random = randomBytes(8);
    random[0] = ((random[0] ?? 0) & 0x3f) | 0x80;
    const rest = random.toString('hex');
    return `${prefixOf(time)}-7${counter.toString(16).padStart(3, '0')}-${rest.slice(0, 4)}-${rest.slice(4)}`;
  };
}

/** No event of that time or later has a smaller identifier, and every earlier one has. */
export const firstIdAt = (time: number) => `${prefixOf(time)}-7000-8000-000000000000`;

function prefixOf(time: number): string {
  const hex = Math.min(Math.max(Math.trunc(time), 0), maxTime)
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
