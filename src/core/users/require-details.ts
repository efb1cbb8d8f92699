import { Unreadable } from './change-refused.ts';
import { addressFault, maxNameLength, maxUsernameLength, newEmailAddress, personName } from './user.ts';

/** Returns the canonical form of the address of a new user. @throws {Unreadable} */
export function requireEmail(username: string): string {
  const address = newEmailAddress(username);
  if (address !== undefined) return address;
  if (addressFault(username) === 'looks-like-another')
    throw new Unreadable(
      'A username must not look like another address: no % and !, no unusual characters, and no letters of several alphabets in one word.',
    );
  throw new Unreadable('A username must be one e-mail address of at most {most} characters.', {
    most: maxUsernameLength,
  });
}

/** @throws {Unreadable} */
export function requireName(typed: string): string {
  const name = personName(typed);
  if (name !== undefined) return name;
  throw new Unreadable('A first or last name must be one line of at most {most} characters.', { most: maxNameLength });
}
