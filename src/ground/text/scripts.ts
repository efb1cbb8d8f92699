/**
 * The scripts that are told apart, such as Latin and Cyrillic, whose letters look alike. `letter` matches a letter of the script. `marks`
 * matches the marks (such as accents) that the letter may have: those of its script, and those of all scripts. All other scripts count as
 * one script, because their letters look like none of these.
 */
const scripts = [
  { letter: /\p{Script=Latin}/u, marks: /^[\p{Script_Extensions=Latin}\p{Script_Extensions=Inherited}]+$/u },
  { letter: /\p{Script=Cyrillic}/u, marks: /^[\p{Script_Extensions=Cyrillic}\p{Script_Extensions=Inherited}]+$/u },
  { letter: /\p{Script=Greek}/u, marks: /^[\p{Script_Extensions=Greek}\p{Script_Extensions=Inherited}]+$/u },
  { letter: /\p{Script=Armenian}/u, marks: /^[\p{Script_Extensions=Armenian}\p{Script_Extensions=Inherited}]+$/u },
  { letter: /\p{Script=Cherokee}/u, marks: /^[\p{Script_Extensions=Cherokee}\p{Script_Extensions=Inherited}]+$/u },
  {
    letter: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]/u,
    marks:
      /^[\p{Script_Extensions=Han}\p{Script_Extensions=Hiragana}\p{Script_Extensions=Katakana}\p{Script_Extensions=Hangul}\p{Script_Extensions=Bopomofo}\p{Script_Extensions=Inherited}]+$/u,
  },
];
const [latin, , , , , eastAsian] = scripts;

/**
 * Tells whether a word of a text has letters of several scripts, as a forged name does: a Cyrillic `а` looks like a Latin `a` (UTS 39).
 * Chinese, Japanese and Korean words may have Latin letters too.
 */
export const mixesScripts = (text: string): boolean =>
  (text.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).some((word) => {
    const letters = word.match(/[\p{Lu}\p{Ll}\p{Lt}\p{Lo}]/gu) ?? [];
    const found = new Set(letters.map((letter) => scripts.find((script) => script.letter.test(letter))));
    return found.size > (found.has(latin) && found.has(eastAsian) ? 2 : 1);
  });

/**
 * Matches marks that change the look of a letter more than any language needs: a stroke or a circle, three accents, or five marks (UTS 39
 * 5.4).
 */
const strangeMark = /[\u0334-\u0338]|\p{Me}|(?:(?=\p{M})\p{Script=Inherited}){3}|\p{Mn}{5}/u;

const sameMarkTwice = /(\p{M})\1/u;

/**
 * Tells whether a text has marks without a letter, or of another script than their letter. Some of these marks are invisible.
 * @param text in NFC
 */
export function hasStrangeMarks(text: string): boolean {
  const marked = Array.from(text.matchAll(/(\P{M}?)(\p{M}+)/gu), ([, base = '', own = '']) => {
    const script = scripts.find(({ letter }) => letter.test(base));
    return /\p{L}/u.test(base) && (script?.marks.test(own) ?? true);
  });
  return strangeMark.test(text) || sameMarkTwice.test(text.normalize('NFD')) || marked.includes(false);
}
