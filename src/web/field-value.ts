const isBlank = (text: string, index: number) => text[index] === ' ' || text[index] === '\t';

/**
 * Strips spaces and tabs around a part of a header field (RFC 9110 5.6.3, RFC 6265bis 5.6).
 * It strips nothing else. JavaScript's `trim()` also strips U+00A0, which is how Node decodes the byte A0. A browser sees no
 * `__Host-` prefix in `\xa0__Host-session`, and lets a sibling host set that cookie.
 */
export function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text, start)) start += 1;
  while (end > start && isBlank(text, end - 1)) end -= 1;
  return text.slice(start, end);
}
