import { InvalidFields } from '../../core/access/refusal.ts';
import { maxPasswordBytes } from '../../core/passwords/passwords.ts';
import { minPasswordLength } from '../../core/passwords/policy.ts';
import {
  addressFault,
  type emailAddress,
  maxNameLength,
  maxUsernameLength,
  newEmailAddress,
  personName,
} from '../../core/users/user.ts';
import type { Field } from '../../web/action.ts';
import type { FlowOptions } from '../../web/flow-options.ts';
import { safeNext } from '../../web/next.ts';

/** Fields that several account forms share. */
export const emailField = {
  required: true,
  maxLength: maxUsernameLength,
  description: 'An e-mail address; case does not matter',
  examples: ['ann@example.com'],
} as const satisfies Field;

export const newPasswordField = {
  required: true,
  maxLength: maxPasswordBytes,
  description: `At least ${minPasswordLength} characters, at most ${maxPasswordBytes} bytes of UTF-8`,
  format: 'password',
  examples: ['a few words with spaces'],
} as const satisfies Field;

export const currentPasswordField = {
  maxLength: maxPasswordBytes,
  description:
    'Proves the identity again. Not needed if that was done within the last minutes (`REAUTHENTICATION_SECONDS`)',
  format: 'password',
  examples: ['password'],
} as const satisfies Field;

export const nameFields = {
  first_name: { required: true, maxLength: maxNameLength, description: 'First name', examples: ['Ann'] },
  last_name: { required: true, maxLength: maxNameLength, description: 'Last name', examples: ['Archer'] },
} as const satisfies Record<string, Field>;

/**
 * Finds the `next` that a link in a mail may contain: only a page of an application that the operator has set up. A stranger can request
 * the mail for another person, who would otherwise open a page of the stranger's choice right after signing in.
 */
export async function findNextForMail(sent: unknown, findApplication: FlowOptions['findApplication']) {
  const next = safeNext(sent);
  const found = next === undefined ? undefined : await findApplication(next);
  return found === undefined || found.isStranger ? {} : { next, application: found.name };
}

/** Reads a typed address in its canonical form. @throws {InvalidFields} */
export function requireAddress(email: string, read: typeof emailAddress = newEmailAddress): string {
  const address = read(email);
  if (address === undefined) throw new InvalidFields({ field: 'email', code: addressFault(email) });
  return address;
}

/** Reads the typed names. @throws {InvalidFields} */
export function requireNames(entered: { readonly first_name: string; readonly last_name: string }) {
  const [firstName, lastName] = [personName(entered.first_name), personName(entered.last_name)];
  if (firstName === undefined) throw new InvalidFields({ field: 'first_name', code: 'malformed' });
  if (lastName === undefined) throw new InvalidFields({ field: 'last_name', code: 'malformed' });
  return { firstName, lastName };
}
