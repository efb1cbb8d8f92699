import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Bytes of each digest in the list. By chance, fewer than one of a billion unlisted passwords is refused. */
const digestBytes = 6;

/**
 * A list of digests in ascending order, made by `scripts/common-passwords.ts`. It contains no plain passwords, because real people use
 * them.
 */
const listFile = new URL('./common-passwords.bin', import.meta.url);

let list: Buffer | undefined;

/** Removes case, accents and compatibility forms from a text, so that `Nguyễn` and `NGUYEN` become the same. */
export const foldForComparison = (text: string) => text.toLowerCase().normalize('NFKD').replaceAll(/\p{M}/gu, '');

export const digestOf = (folded: string) => hash('sha256', folded, 'buffer').subarray(0, digestBytes);

/** Sequences that people type: the alphabet, the digits, the rows and columns of QWERTY, and the rows of QWERTZ and AZERTY. */
const paths = `
abcdefghijklmnopqrstuvwxyz
12345678901
!@#$%^&*()
qwertyuiop
asdfghjkl
zxcvbnm
1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p
1q2w3e4r5t6y7u8i9o0p
qazwsxedcrfvtgbyhnujmikolp
qwertzuiop
yxcvbnm
azertyuiop
qsdfghjklm
wxcvbn
`;
const pathsBothWays = paths + [...paths].reverse().join('');

/**
 * Tells whether a password is among the first that attackers try (ASVS 6.2.4, 6.2.12): it is in the list, repeats one block, follows the
 * alphabet or the keyboard, or is one common word with digits and signs. A phrase of several words is none of these.
 * @param folded as `foldForComparison` returns it
 */
export function isCommon(folded: string): boolean {
  if (isListed(folded) || blockOf(folded) !== folded || mostlyFollowsPaths(folded)) return true;
  const withoutEnds = folded.replaceAll(/^\P{L}+|\P{L}+$/gu, '');
  const letters = folded.replaceAll(/\P{L}/gu, '');
  return [withoutEnds, letters].map(blockOf).some(isListed);
}

function isListed(folded: string): boolean {
  list ??= readFileSync(listFile);
  const digest = digestOf(folded);
  let low = 0;
  let high = list.length / digestBytes;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const order = list.compare(digest, 0, digestBytes, middle * digestBytes, (middle + 1) * digestBytes);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}

/** Returns the block that a text repeats, such as `abc` for `abcabcab` and `abc ` for `abc abc`; otherwise the whole text. */
function blockOf(text: string): string {
  for (let length = 1; length <= (text.length + 1) / 2; length++)
    if (text.startsWith(text.slice(length))) return text.slice(0, length);
  return text;
}

/**
 * Tells whether two thirds of the characters repeat the previous character, or follow it in `paths`. This was true for none of 200,000
 * random phrases of three words.
 */
function mostlyFollowsPaths(folded: string): boolean {
  const characters = [...folded];
  const following = characters.filter((character, index) => {
    const previous = characters[index - 1] ?? '';
    return character === previous || (previous !== '' && pathsBothWays.includes(previous + character));
  });
  return following.length >= (characters.length * 2) / 3;
}
