import { printable } from './printable.ts';

/** Longest address, in characters (RFC 5321 4.5.3.1.3). */
const longestAddress = 254;

/**
 * Whether a text is one plain mail address: no list, no name, no quotes, no control characters. Characters that a mail program might read
 * as others (NFKC), such as a full-width `@`, count as those.
 */
export function isMailAddress(text: string): boolean {
  return text.length <= longestAddress && printable(text) === text && plainAddress.test(text.normalize('NFKC'));
}

const plainAddress = /^[^\s@"(),:;<>[\\\]]+@[^\s@"(),:;<>[\\\]]+$/;
