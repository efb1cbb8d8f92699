import { InvalidFields } from '../access/refusal.ts';
import { maxPasswordBytes } from '../passwords/passwords.ts';
import { minPasswordLength } from '../passwords/policy.ts';
import { emailAddress, maxNameLength, maxUsernameLength, personName } from '../users/user.ts';
import type { Field } from '../web/action.ts';
import { json, object, text } from '../web/openapi/responses.ts';

/** Fields that several forms of accounts have. */
export const emailField = {
  required: true,
  maxLength: maxUsernameLength,
  description: 'An e-mail address; case does not matter',
  examples: ['ann@example.com'],
} as const satisfies Field;

/** Not required: without it, the link counts as expired. */
export const tokenField = {
  maxLength: 4096,
  description: 'The token of the link in the mail',
  inLink: true,
  examples: ['x'.repeat(43)],
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

export const exampleId = 'm9wTrqmiCb1pEU9oSIvH5g';

export const idField = (description: string) =>
  ({ required: true, minLength: 1, maxLength: 43, description, examples: [exampleId] }) as const;

export const nameFields = {
  first_name: { required: true, maxLength: maxNameLength, description: 'First name', examples: ['Ann'] },
  last_name: { required: true, maxLength: maxNameLength, description: 'Last name', examples: ['Archer'] },
} as const satisfies Record<string, Field>;

/** The canonical form of the typed address. @throws {InvalidFields} */
export function requireAddress(email: string): string {
  const address = emailAddress(email);
  if (address === undefined) throw new InvalidFields({ field: 'email', code: 'not-an-address' });
  return address;
}

/** The typed names. @throws {InvalidFields} */
export function requireNames(entered: { readonly first_name: string; readonly last_name: string }) {
  const [firstName, lastName] = [personName(entered.first_name), personName(entered.last_name)];
  if (firstName === undefined) throw new InvalidFields({ field: 'first_name', code: 'malformed' });
  if (lastName === undefined) throw new InvalidFields({ field: 'last_name', code: 'malformed' });
  return { firstName, lastName };
}

const detailSchema = object('What happened', { detail: { type: 'string' } });

/** The answer to a program that needs to know only what happened. */
export const detailAnswer = (detail: string) => json(detail, detailSchema, { detail });

/** What a program learns about a link: the address that it was sent to. */
export const linkAnswer = json('The link is valid', object('The link', { email: text('ann@example.com') }));
