import { addAction } from '../web/action.ts';
import { ceremonyCookie } from '../web/cookies.ts';
import { ambiguousCredential, signedInOf } from '../web/hooks/credentials.ts';
import { homePath, safeNext } from '../web/next.ts';
import { sessionStarted } from '../web/token-answer.ts';
import type { App } from '../web/types.ts';
import { addPasskeyOptions } from './ceremony.routes.ts';
import { credentialField } from './fields.ts';
import type { FactorParts } from './parts.ts';
import { passkeyRefused, passkeyUnknown, tooManyPasskeys } from './refusals.ts';
import type { FactorRouteOptions } from './second-factor.routes.ts';

type PasskeyParts = {
  readonly [Name in 'passkeys' | 'logInByPasskey' | 'factors']: NonNullable<FactorParts[Name]>;
};

/** Adds the login by a passkey alone, and the challenge for a passkey as fresh proof. */
export function addPasskeys(app: App, parts: () => PasskeyParts, { answerLogin, https }: FactorRouteOptions): void {
  const [tag, openedAt, takenBy] = ['Sign in', '/auth/login', 'parseRequestOptionsFromJSON'] as const;

  addPasskeyOptions(app, https, ['/auth/passkey/options', '/api/passkey/options'], {
    ...{ summary: 'Begin a login by passkey', tag, takenBy },
    config: { openedAt },
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
    answer: sessionStarted,
    browser: 'To the home page or `next`, or back to the login page if refused',
    async handle(request, reply, { credential, remember, next }) {
      const { presented, caller, headers } = request;
      const cookie = ceremonyCookie(https).read(headers.cookie);
      const login = { credential, cookie, presented, remembered: remember === 'on' };
      const admitted = await parts().logInByPasskey(login, caller);
      return reply.proceed(safeNext(next) ?? homePath, answerLogin(request, reply, admitted));
    },
  });

  addPasskeyOptions(app, https, ['/auth/confirm/options', '/api/confirm/options'], {
    ...{ summary: 'Ask for a passkey as a fresh proof', tag, takenBy },
    config: { signedIn: true, openedAt: '/auth/confirm' },
    find(request, bind) {
      const { user, session } = signedInOf(request);
      const { passkeys, factors } = parts();
      return passkeys.requestOptions(bind(`confirm:${session.id}`), factors.ownerOf({ user }));
    },
  });
}
