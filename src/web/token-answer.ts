import { json, object, settingCookies, text } from './openapi/responses.ts';

/** The response to a program with a session's new credentials (RFC 6749 5.1). */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'bearer';
  readonly expires_in: number;
  /** Left out if the user has no scopes, and the client requested none. */
  readonly scope?: string;
}

export const tokenFields = {
  access_token: text('janua_QxZ2…', 'Opaque; send it as `Authorization: Bearer …`'),
  token_type: { const: 'bearer' },
  expires_in: {
    type: 'integer',
    description: 'Seconds until the token expires at the latest. It expires earlier if it is not used for some time',
    examples: [604_800],
  },
  scope: text('reports:read', 'What the token may do, separated by spaces (RFC 6749 3.3)'),
};

export const sessionStarted = settingCookies(
  json('A session was started', object('A session was started', tokenFields, ['scope'])),
);

/** A response with a `detail` beside the tokens, which sets the cookie. @param optional the fields that may be missing */
export function detailWithTokens(description: string, detail: string, optional: readonly string[] = ['scope']) {
  const schema = object(
    description,
    { detail: { type: 'string', description: 'What happened' }, ...tokenFields },
    optional,
  );
  return settingCookies(json(description, schema, { detail }));
}
