/**
 * Replaces characters that could move the cursor, forge a line or hide text in a terminal or a log (ASVS 16.4.1), because a client may have
 * chosen the text. Each such character, and each half of a broken surrogate pair, becomes U+FFFD.
 */
export const printable = (text: string) => text.toWellFormed().replaceAll(unprintable, '\uFFFD');

const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Also matches characters without a visible shape, such as Hangul fillers, variation selectors and the Braille blank. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * Tells whether a text is shown as one line, and as it is: without control characters, line separators, and characters that are invisible
 * or reverse the text around them (Unicode TR 36, 2.2). The two joiners and a variation selector are allowed, because Persian, the
 * languages of India and emoji need them.
 */
export const isPlainLine = (text: string) =>
  text.replaceAll(/\u200c|\u200d|\ufe0f/g, '').search(invisible) < 0 && text.isWellFormed();

/** Returns a value as one line of JSON. Unprintable characters are escaped, so a terminal shows exactly the text that a program reads. */
export const jsonLine = (value: unknown) =>
  `${JSON.stringify(value).replaceAll(unprintable, (character) => character.split('').map(escapeUnit).join(''))}\n`;

/** Returns one UTF-16 unit as an escape in JSON. */
export const escapeUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
