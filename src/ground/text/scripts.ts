/** Each with scripts that are written together. All other scripts count as one: none of their letters looks like a letter of these. */
const scriptNames = [
  ['Latin'],
  ['Cyrillic'],
  ['Greek'],
  ['Armenian'],
  ['Cherokee'],
  ['Han', 'Hiragana', 'Katakana', 'Hangul', 'Bopomofo'],
];

const classOf = (property: string, names: readonly string[]) =>
  names.map((name) => `\\p{${property}=${name}}`).join('');

const scripts = scriptNames.map((names) => new RegExp(`[${classOf('Script', names)}]`, 'u'));
const [latin, , , , , eastAsian] = scripts;

/** The marks that letters of a script may have. Those of no script are for all. */
const marks = new Map(
  scriptNames.map((names, index) => [
    scripts[index],
    new RegExp(`^[${classOf('Script_Extensions', [...names, 'Inherited'])}]+$`, 'u'),
  ]),
);

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

/**
 * Marks that change the look of a letter more than its language needs: a stroke or a circle, three accents, five marks (UTS 39 5.4).
 */
const strangeMark = /[\u0334-\u0338]|\p{Me}|(?:(?=\p{M})\p{Script=Inherited}){3}|\p{Mn}{5}/u;

const sameMarkTwice = /(\p{M})\1/u;

/** Tells whether a text has marks that are not of the script of their letter, or of no letter. Some are shown as nothing. @param text in NFC */
export function hasStrangeMarks(text: string): boolean {
  const marked = Array.from(text.matchAll(/(\P{M}?)(\p{M}+)/gu), ([, base = '', own = '']) => {
    const script = scripts.find((one) => one.test(base));
    return /\p{L}/u.test(base) && (marks.get(script)?.test(own) ?? true);
  });
  return strangeMark.test(text) || sameMarkTwice.test(text.normalize('NFD')) || marked.includes(false);
}
