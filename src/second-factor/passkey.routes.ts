import { addAction } from '../web/action.ts';
import { ambiguousCredential } from '../web/hooks/credentials.ts';
import { homePath, safeNext } from '../web/next.ts';
import { json, object, settingCookies } from '../web/openapi/responses.ts';
import { type AnswerLogin, exampleTokens, tokenFields } from '../web/token-answer.ts';
import type { App } from '../web/types.ts';
import { createCeremony } from './ceremony.routes.ts';
import { credentialField } from './fields.ts';
import type { LogInByPasskey } from './passkey-log-in.ts';
import type { Passkeys } from './passkeys.ts';
import { passkeyRefused, passkeyUnknown, tooManyPasskeys } from './refusals.ts';

export interface PasskeyParts {
  readonly passkeys: Passkeys;
  readonly logInByPasskey: LogInByPasskey;
}

export interface PasskeyOptions {
  readonly answerLogin: AnswerLogin;
  readonly https: boolean;
}

export function addPasskeyLogIn(app: App, parts: () => PasskeyParts, { answerLogin, https }: PasskeyOptions): void {
  const ceremony = createCeremony(app, https);
  const [tag, openedAt] = ['Sign in', '/auth/login'];

  ceremony.addOptions(['/auth/passkey/options', '/api/passkey/options'], {
    summary: 'Begin a login by passkey',
    tag,
    config: { openedAt },
    takenBy: 'parseRequestOptionsFromJSON',
    find: (_request, bind) => parts().passkeys.requestOptions(bind('sign-in')),
  });

  addAction(app, ['/auth/passkey', '/api/passkey'], {
    method: 'POST',
    summary: 'Log in by passkey',
    description:
      'Checks the passkey, starts a new session, and ends every session that the client presented. Both responses set the session cookie.',
    tag,
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
      const login = { credential, cookie: ceremony.read(request), presented, remembered: remember === 'on' };
      const admitted = await parts().logInByPasskey(login, caller);
      return reply.proceed(safeNext(next) ?? homePath, answerLogin(request, reply, admitted));
    },
  });
}
