import type { Field } from './action.ts';
import { bodyLimit } from './hooks/bodies.ts';
import { json, object, orNull, text, time } from './openapi/responses.ts';

export const exampleId = 'm9wTrqmiCb1pEU9oSIvH5g';

export const idField = (description: string) =>
  ({ required: true, minLength: 1, maxLength: 43, description, examples: [exampleId] }) as const;

/** Not required: without it, the link counts as expired. */
export const tokenField = {
  maxLength: 4096,
  description: 'The token of the link in the mail',
  inLink: true,
  examples: ['x'.repeat(43)],
} as const satisfies Field;

/** The response to a program about a link: the address that the link was sent to. */
export const linkAnswer = (optional: readonly string[] = []) =>
  json('The link is valid', object('The link', { email: text('ann@example.com') }, optional));

const detailSchema = object('What happened', { detail: { type: 'string' } });

/** The response to a program that needs no data, but a description of the result. */
export const detailAnswer = (detail: string) => json(detail, detailSchema, { detail });

/** Ignored if it is unsafe or too long. */
export const nextField = {
  maxLength: bodyLimit,
  description: 'For pages: the path to go to afterwards',
  inLink: true,
  examples: ['/account'],
} as const satisfies Field;

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
  description: 'The response of the passkey, as the browser gives it, in JSON',
  examples: ['{"id":"…","type":"public-key","response":{…}}'],
  json: true,
} as const satisfies Field;

export const endTokensField = { description: '`on` to end the personal access tokens too' } as const satisfies Field;

export const tokenHost = orNull(
  text('https://dav.example.com', 'The only host that takes the token, as the password of HTTP Basic'),
);

/** A personal access token, as its owner and administrators see it. */
export const tokenSchema = object('A personal access token', {
  id: text(exampleId),
  name: text('Nightly report'),
  scope: text('reports:read', 'What the token may do, separated by spaces'),
  host: tokenHost,
  created_at: time,
  expires_at: time,
  last_used_at: orNull({ ...time, description: 'RFC 3339, UTC; to within a minute' }),
  last_used_address: orNull(text('203.0.113.7')),
});
