const isBlank = (text: string, index: number) => text[index] === ' ' || text[index] === '\t';

/**
 * A part of a header field without the spaces and tabs around it (RFC 9110 5.6.3, RFC 6265bis 5.6).
 * Nothing else is stripped. JavaScript's `trim()` also takes U+00A0, which is what Node makes of the byte A0: a browser takes
 * `\xa0__Host-session` for a name without the prefix `__Host-`, and lets a sibling host set it.
 */
export function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text, start)) start += 1;
  while (end > start && isBlank(text, end - 1)) end -= 1;
  return text.slice(start, end);
}
