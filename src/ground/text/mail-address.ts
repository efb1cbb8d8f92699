import { domainToASCII, domainToUnicode } from 'node:url';
import { printable } from './printable.ts';

/** Longest address, in characters (RFC 5321 4.5.3.1.3). */
const longestAddress = 254;

const localPart = /^[^\s@"(),:;<>[\\\]]+$/;

/** A mail program may read `。` as a dot (RFC 3490 3.1). */
const typedDomain = /^[\p{L}\p{N}\p{M}.。-]+$/u;

const asciiDomain = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?$/;

/** The one spelling of a domain, in Unicode (UTS 46). Undefined for any other text, such as an IP address. */
export function canonicalDomain(text: string): string | undefined {
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
