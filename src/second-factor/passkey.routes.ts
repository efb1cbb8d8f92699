import { addAction } from '../web/action.ts';
import { ambiguousCredential } from '../web/hooks/credentials.ts';
import { homePath, safeNext } from '../web/next.ts';
import { json, object, settingCookies } from '../web/openapi/responses.ts';
import { type AnswerLogin, exampleTokens, tokenFields } from '../web/token-answer.ts';
import type { App } from '../web/types.ts';
import { createCeremonyCookie } from './ceremony-cookie.ts';
import { credentialField } from './fields.ts';
import type { LogInByPasskey } from './passkey-log-in.ts';
import type { Passkeys } from './passkeys.ts';
import { passkeyRefused, passkeyUnknown, tooManyPasskeys } from './refusals.ts';

const descriptors = {
  type: 'array',
  items: object('A passkey', {
    id: { type: 'string', description: 'The id of the credential, base64url' },
    type: { const: 'public-key' },
    transports: { type: 'array', items: { type: 'string' } },
  }),
};

const common = {
  challenge: { type: 'string', description: 'base64url; works once, for five minutes' },
  timeout: { type: 'integer', description: 'Milliseconds' },
};

const exampleChallenge = { challenge: '6Z3wq…', timeout: 300_000 };

/** What `parseRequestOptionsFromJSON` takes. */
export const requestOptions = json(
  'Options to use a passkey',
  object('For `PublicKeyCredential.parseRequestOptionsFromJSON`', {
    ...common,
    rpId: { type: 'string', description: 'The domain that passkeys belong to' },
    allowCredentials: descriptors,
    userVerification: { const: 'required' },
  }),
  { ...exampleChallenge, rpId: 'auth.example.com', allowCredentials: [], userVerification: 'required' },
);

export interface PasskeyParts {
  readonly passkeys: Passkeys;
  readonly logInByPasskey: LogInByPasskey;
}

export interface PasskeyOptions {
  readonly answerLogin: AnswerLogin;
  readonly https: boolean;
}

/** Adds the login by a passkey: one request gives the challenge, and the next one takes the answer of the authenticator. */
export function addPasskeyLogIn(app: App, parts: () => PasskeyParts, { answerLogin, https }: PasskeyOptions): void {
  const cookie = createCeremonyCookie(https);
  const openedAt = '/auth/login';

  addAction(app, ['/auth/passkey/options', '/api/passkey/options'], {
    method: 'POST',
    summary: 'Begin a login by passkey',
    description: 'Gives a challenge, and the cookie `ceremony`, which has to come back with the login.',
    tag: 'Sign in',
    config: { openedAt },
    answer: settingCookies(requestOptions),
    browser: 'To the login page: only scripts have a use for the options',
    async handle(request, reply) {
      const binding = { purpose: 'sign-in', cookie: cookie.give(request, reply) };
      return reply.proceed(openedAt, await parts().passkeys.requestOptions(binding));
    },
  });

  addAction(app, ['/auth/passkey', '/api/passkey'], {
    method: 'POST',
    summary: 'Log in by passkey',
    description:
      'Checks the passkey, starts a new session, and ends every session that the client presented. Both responses set the session cookie.',
    tag: 'Sign in',
    fields: {
      credential: credentialField,
      remember: { description: '`on` to stay signed in for longer, and after the browser closes' },
      next: { description: 'For pages: the path to go to after the login' },
    },
    example: { credential: '{"id":"…","type":"public-key","response":{…}}', remember: 'on' },
    config: { openedAt, refusals: [passkeyRefused, passkeyUnknown, tooManyPasskeys, ambiguousCredential] },
    answer: settingCookies(json('A session was started', object('A session was started', tokenFields), exampleTokens)),
    browser: 'To the home page or `next`, or back to the login page if refused',
    async handle(request, reply, { credential, remember, next }) {
      const { presented, caller } = request;
      const login = { credential, cookie: cookie.read(request), presented, remembered: remember === 'on' };
      const admitted = await parts().logInByPasskey(login, caller);
      return reply.proceed(safeNext(next) ?? homePath, answerLogin(request, reply, admitted));
    },
  });
}
