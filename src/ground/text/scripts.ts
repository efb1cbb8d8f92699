const eastAsian = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]/u;

/** All other scripts count as one: none of their letters looks like a letter of these. */
const scripts: readonly RegExp[] = [
  /\p{Script=Latin}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Cherokee}/u,
  eastAsian,
];
const [latin] = scripts;

/**
 * Whether a word of a text has letters of several scripts, as a forged name does: a Cyrillic `а` looks like a Latin one (UTS 39). Chinese,
 * Japanese and Korean words may have Latin letters too.
 */
export const mixesScripts = (text: string): boolean =>
  (text.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).some((word) => {
    const letters = word.match(/[\p{Lu}\p{Ll}\p{Lt}\p{Lo}]/gu) ?? [];
    const found = new Set(letters.map((letter) => scripts.find((script) => script.test(letter))));
    return found.size > (found.has(latin) && found.has(eastAsian) ? 2 : 1);
  });
