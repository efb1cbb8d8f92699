import type { Field } from './action.ts';

/* The fields by which a second factor is sent, to finish a login or as a fresh proof. */

export const methodField = {
  description: '`totp`, `recovery_code` or `passkey`. Default: `totp`',
  inLink: true,
  examples: ['totp'],
} as const satisfies Field;

export const codeField = {
  maxLength: 100,
  description: 'The code of the authenticator app, or a recovery code. Blanks and hyphens do not matter',
  examples: ['123456'],
} as const satisfies Field;

export const credentialField = {
  maxLength: 20_000,
  description: 'What the browser got from the passkey, as JSON',
  examples: ['{"id":"…","type":"public-key","response":{…}}'],
  json: true,
} as const satisfies Field;
