import { domainToASCII, domainToUnicode } from 'node:url';
import { printable } from './printable.ts';
import { hasStrangeMarks, mixesScripts } from './scripts.ts';

/** The longest address, in characters (RFC 5321 4.5.3.1.3). */
const longestAddress = 254;

/** The longest domain, in characters (RFC 1035 2.3.4). Punycode takes quadratic time, so longer texts are refused before. */
const longestDomain = 253;

const localPart = /^[^\s@"(),:;<>[\\\]]+$/;

/** Allows `。`, because a mail program may read it as a dot (RFC 3490 3.1). */
const typedDomain = /^[\p{L}\p{N}\p{M}.。-]+$/u;

const asciiDomain = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?$/;

/** Returns the canonical spelling of a domain, in Unicode (UTS 46). Undefined for any other text, such as an IP address. */
export function canonicalDomain(text: string): string | undefined {
  if (text.length > longestDomain) return undefined;
  const typed = text.normalize('NFKC');
  const ascii = typedDomain.test(typed) ? domainToASCII(typed) : '';
  return asciiDomain.test(ascii) ? domainToUnicode(ascii) : undefined;
}

/**
 * Returns the canonical spelling of a single plain mail address: no list, no name, no quotes, no control characters. Undefined for any
 * other text. A full-width comma counts as a comma, and so on (NFKC), because a mail program might read it so.
 */
export function canonicalMailAddress(text: string): string | undefined {
  // The length is checked before NFKC, which turns one letter into up to 18, and takes quadratic time for many combining marks. The
  // canonical form of a domain may be shorter than the typed one, so twice the length is let through.
  if (text.length > 2 * longestAddress) return undefined;
  const [local = '', host, more] = text.split('@');
  const domain = host === undefined || more !== undefined ? undefined : canonicalDomain(host);
  const address = `${local}@${domain}`;
  const isPlain = localPart.test(local.normalize('NFKC')) && printable(text) === text && text.isWellFormed();
  return domain !== undefined && isPlain && address.length <= longestAddress ? address : undefined;
}

export const isMailAddress = (text: string): boolean => canonicalMailAddress(text) !== undefined;

/**
 * Matches RFC 6532 without punctuation beyond ASCII, and without `%` and `!`, which can make a mail server forward a mail to another host.
 */
const plainLocalPart = /^[\p{L}\p{M}\p{N}.#$&'*+/=?^_`{|}~-]+$/u;

/**
 * Matches letters that look like others of their script, in NFD: phonetic letters such as `ɑ` and `ɡ`, the dotless i, an i with a second
 * dot, and letters of no script such as `ʼ`. The listed letters, with marks, are all Latin letters that are allowed.
 */
const strangeLetter =
  /(?![a-zßæðøþđħłŋœŧəɓɗɖɛɣɔƙƴɲʋƒ])\p{Script=Latin}|[ijl]\p{M}*\u0307|(?=\p{Script=Common})(?!ー)\p{L}/u;

/**
 * Matches Cyrillic, Greek and Armenian letters that look like Latin ones. An address with letters of these scripts needs at least one that
 * does not look Latin. Otherwise it may imitate a Latin address.
 */
const onlyLookAlikes = /^[асԁеһіјӏорԛѕԝхуονρυικαզհյոսցօ]+$/u;

/**
 * Tells whether people or mail programs may confuse an address with another one (UTS 39). Reasons are letters of several scripts in a word;
 * letters, marks or digits that look like others; and invisible characters.
 * @param address in the spelling of `canonicalMailAddress`, in lower case
 */
export function looksLikeAnother(address: string): boolean {
  const [local = '', domain = ''] = address.split('@');
  // Removes hyphens, because browsers judge each label (`label.label`) as one word.
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
