import { domainToASCII, domainToUnicode } from 'node:url';
import { printable } from './printable.ts';
import { hasStrangeMarks, mixesScripts } from './scripts.ts';

/** Longest address, in characters (RFC 5321 4.5.3.1.3). */
const longestAddress = 254;

/** Longest domain, in characters (RFC 1035 2.3.4). Punycode costs a time that is quadratic. */
const longestDomain = 253;

const localPart = /^[^\s@"(),:;<>[\\\]]+$/;

/** A mail program may read `。` as a dot (RFC 3490 3.1). */
const typedDomain = /^[\p{L}\p{N}\p{M}.。-]+$/u;

const asciiDomain = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?$/;

/** The one spelling of a domain, in Unicode (UTS 46). Undefined for any other text, such as an IP address. */
export function canonicalDomain(text: string): string | undefined {
  if (text.length > longestDomain) return undefined;
  const typed = text.normalize('NFKC');
  const ascii = typedDomain.test(typed) ? domainToASCII(typed) : '';
  return asciiDomain.test(ascii) ? domainToUnicode(ascii) : undefined;
}

/**
 * One plain mail address in one spelling: no list, no name, no quotes, no control characters. Undefined for any other text. A full-width
 * comma counts as a comma, and so on (NFKC), because a mail program might read it so.
 */
export function canonicalMailAddress(text: string): string | undefined {
  const [local = '', host, more] = text.split('@');
  const domain = host === undefined || more !== undefined ? undefined : canonicalDomain(host);
  const address = `${local}@${domain}`;
  const isPlain = localPart.test(local.normalize('NFKC')) && printable(text) === text && text.isWellFormed();
  return domain !== undefined && isPlain && address.length <= longestAddress ? address : undefined;
}

export const isMailAddress = (text: string): boolean => canonicalMailAddress(text) !== undefined;

/** RFC 6532 without punctuation beyond ASCII, and without `%` and `!`, by which a mail server may send a mail on to another host. */
const plainLocalPart = /^[\p{L}\p{M}\p{N}.#$&'*+/=?^_`{|}~-]+$/u;

/**
 * Letters that look like others of their script, in NFD: letters of phonetics such as `ɑ` and `ɡ`, the dotless i, an i with a second dot, and
 * letters of no script such as `ʼ`. Each other Latin letter is one of these, with marks.
 */
const strangeLetter =
  /(?![a-zßæðøþđħłŋœŧəɓɗɖɛɣɔƙƴɲʋƒ])\p{Script=Latin}|[ijl]\p{M}*\u0307|(?=\p{Script=Common})(?!ー)\p{L}/u;

/** Cyrillic, Greek and Armenian letters that look like Latin ones. An address whose other letters are Latin needs one more that does not. */
const onlyLookAlikes = /^[асԁеһіјӏорԛѕԝхуονρυικαզհյոսցօ]+$/u;

/**
 * Tells whether people or mail programs may take an address for another one (UTS 39): by letters of several scripts in a word, by letters,
 * marks or digits that look like others, by characters that are not seen.
 * @param address in the spelling of `canonicalMailAddress`, in lower case
 */
export function looksLikeAnother(address: string): boolean {
  const [local = '', domain = ''] = address.split('@');
  // Browsers judge a label as a whole, whatever hyphens are in it.
  const text = `${local}@${domain.replaceAll('-', '')}`;
  const words = text.match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  const foreign = (text.match(/[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}]/gu) ?? []).join('');
  return (
    address !== address.normalize('NFKC') ||
    /\p{Default_Ignorable_Code_Point}/u.test(address) ||
    !plainLocalPart.test(local) ||
    strangeLetter.test(text.normalize('NFD')) ||
    mixesScripts(text) ||
    hasStrangeMarks(address) ||
    onlyLookAlikes.test(foreign) ||
    words.some((word) => /[a-z0-9]/.test(word) && /[^\P{N}0-9]/u.test(word))
  );
}
