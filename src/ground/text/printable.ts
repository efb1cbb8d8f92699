/**
 * Text without characters that could move the cursor, forge a line or hide text in a terminal or a log (ASVS 16.4.1). A client may have
 * chosen the text. Each such character, and each half of a broken surrogate pair, becomes U+FFFD.
 */
export const printable = (text: string) => text.toWellFormed().replaceAll(unprintable, '\uFFFD');

const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Also characters that fonts show as nothing, such as the fillers of Hangul, variation selectors and the blank of Braille. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * Tells whether a text is shown as one line, as it is: no control characters, no line separators, nothing that is invisible or turns the
 * text around it (Unicode TR 36, 2.2). Persian, the languages of India and emoji need the two joiners, and emoji a selector.
 */
export const isPlainLine = (text: string) =>
  text.replaceAll(/\u200c|\u200d|\ufe0f/g, '').search(invisible) < 0 && text.isWellFormed();

/** Gives a value as one line of JSON. Such characters are escaped, so a terminal shows exactly what a program reads. */
export const jsonLine = (value: unknown) =>
  `${JSON.stringify(value).replaceAll(unprintable, (character) => character.split('').map(escapeUnit).join(''))}\n`;

/** Gives one UTF-16 unit as an escape in JSON. */
export const escapeUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
