import type { Access } from '../../core/access/access.ts';
import { enrolmentRequired, mfaRequired } from '../../core/access/factor.ts';
import { Refusal } from '../../core/access/refusal.ts';
import { maxPasswordBytes } from '../../core/passwords/passwords.ts';
import { maxUsernameLength } from '../../core/users/user.ts';
import { addAction } from '../../web/action.ts';
import { bodyField } from '../../web/body-field.ts';
import { ambiguousCredential } from '../../web/hooks/credentials.ts';
import { findLoginMessage, isAboutLogin, type LoginPage, loginView, otherLoginPath } from '../../web/login-page.ts';
import { homePath, safeNext } from '../../web/next.ts';
import { json, object, page, redirect, settingCookies } from '../../web/openapi/responses.ts';
import { tokenFields } from '../../web/token-answer.ts';
import type { App } from '../../web/types.ts';
import { type LogIn, requireComplete } from './log-in.ts';
import { incompleteLogin, invalidCredentials, tooManyAttempts, unsupportedGrantType } from './refusals.ts';

const tokenSchema = object(
  'A session was started',
  { ...tokenFields, detail: { type: 'string', description: '`Already logged in`, if the client was signed in' } },
  ['detail', 'scope'],
);

const fields = {
  username: {
    required: true,
    minLength: 1,
    maxLength: maxUsernameLength,
    description: 'An e-mail address; case does not matter',
    examples: ['behai_nguyen@hotmail.com'],
  },
  password: {
    required: true,
    minLength: 1,
    maxLength: maxPasswordBytes,
    description: 'At most 1024 bytes of UTF-8',
    format: 'password',
    examples: ['password'],
  },
  grant_type: { description: '`password`, or omitted' },
  scope: {
    description:
      'Scopes that the access token should carry, separated by spaces. Default: all that the user has. The cookie carries all',
  },
  remember: { description: '`on` to stay signed in for longer, and after the browser closes' },
  next: { description: 'For pages: the path to go to after the login' },
} as const;

/** Accepts any query. An unknown `state` shows no message, and an unsafe `next` is ignored. */
const loginPageQuery = {
  type: 'object',
  properties: {
    state: { description: 'Selects a fixed message: 0 to 11', examples: ['2'] },
    next: { description: 'A path of this server to go to after the login', examples: ['/admin/me'] },
    account: { description: '`other` shows the page to a user who is signed in, too' },
  },
};

export interface LogInParts {
  readonly access: Access;
  readonly logIn: LogIn;
}

export interface LogInRouteOptions {
  readonly showsLoginAtRoot: boolean;
  readonly loginPage: LoginPage;
}

export function addLogIn(app: App, parts: () => LogInParts, options: LogInRouteOptions): void {
  const { showsLoginAtRoot, loginPage } = options;

  for (const url of [...(showsLoginAtRoot ? ['/'] : []), '/auth/login']) {
    app.get(
      url,
      {
        config: { view: loginView, pageOnly: true, refusals: [ambiguousCredential] },
        schema: {
          summary: 'Login page',
          tags: ['Pages'],
          querystring: loginPageQuery,
          response: {
            200: settingCookies(page('The login page')),
            303: redirect('To the home page or `next`, if the user is signed in'),
          },
        },
      },
      async ({ presented, headers, query }, reply) => {
        const { state, next, account } = query as Readonly<Record<string, unknown>>;
        const message = findLoginMessage(state);
        const lastFailure = loginPage.readFailure(headers.cookie);
        const failed = isAboutLogin(message) ? lastFailure : undefined;
        // After a failed login with another account, a signed-in user stays on this page too.
        const staysHere = account === 'other' || failed !== undefined;
        const isSignedIn = (await parts().access.findSignedIn(presented)) !== undefined;
        if (isSignedIn && !staysHere) return reply.redirect(safeNext(next) ?? homePath, 303);
        if (!isSignedIn && presented.cookie !== undefined && presented.accessToken === undefined)
          reply.clearSessionCookie();
        if (lastFailure !== failed) reply.header('set-cookie', loginPage.failureRemoval);
        const shown = await loginPage.show({ message, next, failed });
        return account === 'other' ? { ...shown, path: otherLoginPath(next) } : shown;
      },
    );
  }

  addAction(app, ['/auth/token', '/api/login'], {
    method: 'POST',
    summary: 'Log in',
    description:
      'Checks the password, starts a new session, and ends every session that the client presented. Both responses set the session cookie.',
    tag: 'Sign in',
    fields,
    config: {
      openedAt: '/auth/login',
      refusals: [
        invalidCredentials,
        incompleteLogin,
        unsupportedGrantType,
        tooManyAttempts,
        ambiguousCredential,
        mfaRequired,
        enrolmentRequired,
      ],
    },
    answer: settingCookies(json('A session was started', tokenSchema)),
    browser: 'Pages: to the home page or `next`, or back to the login page if refused',
    readsBody: true,
    async handle(request, reply) {
      const { body, query, presented, language, headers, caller } = request;
      const [grantType, scope] = [bodyField(body, 'grant_type'), bodyField(body, 'scope')];
      // An empty value counts as none (RFC 6749 3.2). A repeated one is an invalid request, not another grant type.
      if (!Array.isArray(grantType) && ![undefined, '', 'password'].includes(grantType as string))
        throw new Refusal(unsupportedGrantType);
      // Parameters of a token request must not be in the query string, nor repeated (RFC 6749 3.2, ASVS 14.2.1).
      const inQuery = Object.keys(fields).some((name) => name !== 'next' && name in (query as object));
      if (inQuery || Array.isArray(grantType) || Array.isArray(scope)) throw new Refusal(incompleteLogin);
      const next = safeNext(bodyField(body, 'next'));
      const sent = {
        ...requireComplete({ username: bodyField(body, 'username'), password: bodyField(body, 'password') }),
        remembered: bodyField(body, 'remember') === 'on',
        scope: typeof scope === 'string' ? scope : undefined,
      };
      const admitted = await parts().logIn({ ...sent, presented, language, headers, next }, caller);
      return reply.proceed(next ?? homePath, {
        ...reply.answerLogin(admitted),
        ...(admitted.wasSignedIn ? { detail: 'Already logged in' } : {}),
      });
    },
  });
}
