import type { SignedIn } from '../../core/access/access.ts';
import { printable } from '../../ground/text/printable.ts';

/** Describes the user to an application. Always sends all four headers, so they overwrite headers of these names that the client sent. */
export function identityHeaders({ user, isAddressVouched }: SignedIn): Record<string, string> {
  const { username, firstName, lastName, groups } = user;
  const name = unmistakable(username);
  const isAddress = isAddressVouched && name === username && /^[^@\s]+@[^@\s]+$/.test(username);
  return {
    'remote-user': headerText(name),
    'remote-name': headerText(printable(`${firstName} ${lastName}`).trim()),
    'remote-groups': groups.join(','),
    'remote-email': headerText(isAddress ? username : ''),
  };
}

/** Describes a program, which has no user. The headers are empty, and so overwrite headers of these names that the client sent. */
export const noIdentity = { 'remote-user': '', 'remote-name': '', 'remote-groups': '', 'remote-email': '' } as const;

/**
 * An application identifies users by this name, so two names must not look the same in a header. Invisible characters are written as their
 * code point. So are blanks at the ends, which HTTP drops, and the character that marks a code point.
 */
export const unmistakable = (name: string) =>
  name.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]|^\s+|\s+$/gu, asCodePoints);

export const asCodePoints = (odd: string) =>
  Array.from(odd, (character) => `\uFFFD{${character.codePointAt(0)?.toString(16)}}`).join('');

/** Encodes a header as UTF-8. Node sends each character of the result as one byte. */
export const headerText = (text: string) => Buffer.from(text).toString('latin1');
