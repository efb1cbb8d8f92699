/**
 * Text without what would move the cursor, forge a line or hide something, in a terminal or a log: others chose it (ASVS 16.4.1).
 * Each such character becomes U+FFFD, as does half a surrogate pair.
 */
export const printable = (text: string) => text.toWellFormed().replaceAll(unprintable, '\uFFFD');

const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A value as one line of JSON, in which such characters are escaped: a terminal shows what a program reads. */
export const jsonLine = (value: unknown) =>
  `${JSON.stringify(value).replaceAll(unprintable, (character) => character.split('').map(escapeUnit).join(''))}\n`;

const escapeUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
