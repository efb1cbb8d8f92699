/**
 * Text without what would move the cursor, forge a line or hide something, in a terminal or a log: others chose it (ASVS 16.4.1).
 * Each such character becomes U+FFFD, as does half a surrogate pair.
 */
export const printable = (text: string) => text.toWellFormed().replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD');
