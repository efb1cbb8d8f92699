import type { Admitted } from '../access/admit.ts';
import { json, object, settingCookies } from './openapi/responses.ts';
import type { Reply, Request } from './types.ts';

/** What a program gets with a session's new credentials (RFC 6749 5.1). */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'bearer';
  readonly expires_in: number;
  /** Left out if the user has none, and asked for none. */
  readonly scope?: string;
}

export const tokenFields = {
  access_token: { type: 'string', description: 'Opaque; send it as `Authorization: Bearer …`' },
  token_type: { const: 'bearer' },
  expires_in: {
    type: 'integer',
    description: 'Seconds until the token expires at the latest. It expires earlier if it is not used for some time',
  },
  scope: { type: 'string', description: 'What the token may do, separated by spaces (RFC 6749 3.3)' },
} as const;

export const exampleTokens: TokenAnswer = { access_token: 'janua_QxZ2…', token_type: 'bearer', expires_in: 604_800 };

export const sessionStarted = settingCookies(
  json('A session was started', object('A session was started', tokenFields, ['scope']), exampleTokens),
);

/** The schema of an answer that has a `detail` beside the tokens. @param optional the fields that may be missing */
export const detailWithTokens = (description: string, optional: readonly string[] = []) =>
  object(description, { detail: { type: 'string', description: 'What happened' }, ...tokenFields }, [
    'scope',
    ...optional,
  ]);

/** Gives the browser the new cookie of a session, and makes the account known in that browser. @returns what a program gets */
export type AnswerLogin = (
  request: Request,
  reply: Reply,
  admitted: Pick<Admitted, 'account'> & {
    readonly session: Pick<
      Admitted['session'],
      'cookie' | 'accessToken' | 'expiresInSeconds' | 'remembered' | 'tokenScope'
    >;
  },
) => TokenAnswer;
