import { maxPasswordBytes } from '../passwords/passwords.ts';
import { maxNameLength, maxUsernameLength } from '../users/user.ts';
import type { Field } from '../web/action.ts';
import { json, object } from '../web/openapi/responses.ts';

/** Fields that several forms of accounts have. */
export const emailField = {
  required: true,
  maxLength: maxUsernameLength,
  description: 'An e-mail address; case does not matter',
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
  description: 'At least 15 characters, at most 1024 bytes of UTF-8',
  format: 'password',
} as const satisfies Field;

export const currentPasswordField = {
  maxLength: maxPasswordBytes,
  description:
    'Proves the identity again. Not needed if that was done within the last minutes (`REAUTHENTICATION_SECONDS`)',
  format: 'password',
} as const satisfies Field;

export const nameFields = {
  first_name: { required: true, maxLength: maxNameLength, description: 'First name' },
  last_name: { required: true, maxLength: maxNameLength, description: 'Last name' },
} as const satisfies Record<string, Field>;

const detailSchema = object('What happened', { detail: { type: 'string' } });

/** The answer to a program that needs to know only what happened. */
export const detailAnswer = (detail: string) => json(detail, detailSchema, { detail });

/** What a program learns about a link: the address that it was sent to. */
export const linkAnswer = (email: string) =>
  json('The link is valid', object('The link', { email: { type: 'string' } }), { email });
