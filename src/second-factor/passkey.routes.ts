import type { Account } from '../users/account.ts';
import { addAction } from '../web/action.ts';
import { ambiguousCredential, signedInOf } from '../web/hooks/credentials.ts';
import { homePath, safeNext, secondFactorPath } from '../web/next.ts';
import { sessionStarted } from '../web/token-answer.ts';
import type { App } from '../web/types.ts';
import { createCeremony } from './ceremony.routes.ts';
import type { Binding } from './challenges.ts';
import type { Factors } from './factors.ts';
import { credentialField, tokenField } from './fields.ts';
import type { LogInByPasskey } from './passkey-log-in.ts';
import type { Passkeys } from './passkeys.ts';
import { loginOver, passkeyRefused, passkeyUnknown, tooManyPasskeys } from './refusals.ts';
import { type FactorRouteOptions, type SecondFactorParts, waitingSecretOf } from './second-factor.routes.ts';

export interface PasskeyParts extends Pick<SecondFactorParts, 'secondFactor'> {
  readonly passkeys: Passkeys;
  readonly logInByPasskey: LogInByPasskey;
  readonly factors: Pick<Factors, 'ownerOf'>;
}

/** Adds the login by a passkey alone, and the challenges for a passkey as second factor and as fresh proof. */
export function addPasskeys(app: App, parts: () => PasskeyParts, { answerLogin, https }: FactorRouteOptions): void {
  const ceremony = createCeremony(app, https);
  const waitingSecret = waitingSecretOf(https);
  const [tag, openedAt, takenBy] = ['Sign in', '/auth/login', 'parseRequestOptionsFromJSON'] as const;
  const findOwn = (account: Pick<Account, 'user'>, binding: Binding) =>
    parts().passkeys.requestOptions(binding, parts().factors.ownerOf(account));

  ceremony.addOptions(['/auth/passkey/options', '/api/passkey/options'], {
    summary: 'Begin a login by passkey',
    tag,
    config: { openedAt },
    takenBy,
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
      const { presented, caller } = request;
      const login = { credential, cookie: ceremony.read(request), presented, remembered: remember === 'on' };
      const admitted = await parts().logInByPasskey(login, caller);
      return reply.proceed(safeNext(next) ?? homePath, answerLogin(request, reply, admitted));
    },
  });

  ceremony.addOptions([`${secondFactorPath}/options`, '/api/second-factor/options'], {
    summary: 'Ask for a passkey as the second factor',
    tag,
    fields: { mfa_token: tokenField },
    example: { mfa_token: 'm9wTrqmiCb1pEU9oSIvH5g…' },
    config: { openedAt: secondFactorPath, refusals: [loginOver] },
    takenBy,
    async find(request, bind, { mfa_token: token }) {
      const { pending, account } = await parts().secondFactor.open(waitingSecret(request, token), request.caller);
      return findOwn(account, bind(`second-factor:${pending.id}`));
    },
  });

  ceremony.addOptions(['/auth/confirm/options', '/api/confirm/options'], {
    summary: 'Ask for a passkey as a fresh proof',
    tag,
    config: { signedIn: true, openedAt: '/auth/confirm' },
    takenBy,
    find(request, bind) {
      const { user, session } = signedInOf(request);
      return findOwn({ user }, bind(`confirm:${session.id}`));
    },
  });
}
