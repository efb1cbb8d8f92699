import type { Identity } from '../access/identity.ts';
import { Refusal } from '../access/refusal.ts';
import { maxPasswordBytes } from '../passwords/passwords.ts';
import { maxUsernameLength } from '../users/user.ts';
import type { Cookies } from '../web/cookies.ts';
import { acceptedBodyTypes } from '../web/hooks/bodies.ts';
import { safeNext } from '../web/next.ts';
import { json, object, page, redirect, settingCookies } from '../web/openapi/responses.ts';
import type { App } from '../web/types.ts';
import { loginMessage } from './login-messages.ts';

const tokenSchema = object(
  'A session was started',
  {
    access_token: { type: 'string', description: 'Opaque; send it as `Authorization: Bearer …`' },
    token_type: { const: 'bearer' },
    expires_in: {
      type: 'integer',
      description:
        'Seconds until the token ends if it is not used; use does not take it beyond the lifetime of the session',
    },
    detail: { type: 'string', description: '`Already logged in`, when a session was presented' },
  },
  ['detail'],
);

const loginBody = {
  type: 'object',
  description: 'As a form or as JSON',
  required: ['username', 'password'],
  properties: {
    username: {
      type: 'string',
      minLength: 1,
      maxLength: maxUsernameLength,
      description: 'An e-mail address; case does not matter',
    },
    password: {
      type: 'string',
      minLength: 1,
      maxLength: maxPasswordBytes,
      description: 'At most 1024 bytes of UTF-8',
      format: 'password',
    },
    grant_type: { type: 'string', description: '`password`, or left out' },
    scope: { type: 'string', description: 'Taken and ignored: there are no scopes' },
    next: { type: 'string', description: 'For pages: the path to go to after the login' },
  },
  examples: [{ username: 'behai_nguyen@hotmail.com', password: 'password' }],
} as const;

/** Anything may come here: what is not known shows no message and leads nowhere. */
const loginPageQuery = {
  type: 'object',
  properties: {
    state: { description: 'Picks a fixed message: 1 to 4', examples: ['2'] },
    next: { description: 'A path of this server to go to after the login', examples: ['/admin/me'] },
  },
} as const;

/** Parameters of a token request; none of them may come by the query string (RFC 6749 3.2, ASVS 14.2.1). */
const parameters = Object.keys(loginBody.properties);

export interface LoginOptions {
  readonly identity: Identity;
  readonly cookies: Cookies;
  /** Whether `/` shows the login page too. */
  readonly atRoot: boolean;
}

export function addLoginRoutes(app: App, { identity, cookies, atRoot }: LoginOptions): void {
  for (const url of [...(atRoot ? ['/'] : []), '/auth/login']) {
    app.get(
      url,
      {
        config: { view: 'sign-in/log-in', pageOnly: true, refusals: ['ambiguous-credential'], problems: [500, 503] },
        schema: {
          summary: 'Login page',
          tags: ['Pages'],
          querystring: loginPageQuery,
          response: {
            200: settingCookies(page('The login page')),
            303: redirect('To the home page, for someone signed in'),
          },
        },
      },
      async (request, reply) => {
        const { cookie, accessToken } = request.presented;
        if (await identity.findUser(request.presented)) return reply.redirect('/auth/home', 303);
        if (cookie !== undefined && accessToken === undefined) reply.clearSessionCookie();
        const { state, next } = request.query;
        return { message: loginMessage(state), next: safeNext(next) };
      },
    );
  }

  for (const url of ['/auth/token', '/api/login']) {
    app.post(
      url,
      {
        attachValidation: true,
        preValidation: async ({ body }) => dropOddFields(body),
        config: {
          refusals: [
            'invalid-credentials',
            'incomplete-login',
            'unsupported-grant-type',
            'too-many-attempts',
            'ambiguous-credential',
            'cross-site',
          ],
          problems: [400, 413, 415, 500, 503],
        },
        schema: {
          summary: 'Log in',
          description:
            'Checks the password, starts a new session, and ends every session that was presented. Both answers set the session cookie.',
          tags: ['Sign in'],
          consumes: [...acceptedBodyTypes],
          body: loginBody,
          response: {
            200: settingCookies(
              json('A session was started', tokenSchema, {
                access_token: 'janua_QxZ2…',
                token_type: 'bearer',
                expires_in: 86_400,
              }),
            ),
            ...(url.startsWith('/api/')
              ? {}
              : { 303: settingCookies(redirect('Pages: home or `next`; back to the login page when refused')) }),
          },
        },
      },
      async (request, reply) => {
        const inQuery = parameters.some((name) => name !== 'next' && name in (request.query as object));
        if (hasOtherGrantType(request.body)) throw new Refusal('unsupported-grant-type');
        if (request.validationError || inQuery) throw new Refusal('incomplete-login');
        const { username, password, next } = request.body;

        const { presented, client, caller, headers } = request;

        const { session, wasSignedIn } = await identity.logIn(
          {
            username,
            password,
            presented,
            network: client.network,
            endSite: client.endSite,
            findKnownBrowser: (fingerprint) => cookies.findKnownBrowser(fingerprint, headers.cookie),
          },
          caller,
        );

        const browser = cookies.browser(session.passwordFingerprint, headers.cookie);
        reply.header('set-cookie', [cookies.session(session.cookie), browser]);
        return reply.proceed(safeNext(next) ?? '/auth/home', {
          access_token: session.accessToken,
          token_type: 'bearer',
          expires_in: session.expiresInSeconds,
          ...(wasSignedIn ? { detail: 'Already logged in' } : {}),
        });
      },
    );
  }
}

/** A value that is no text cannot be followed, or ask for anything; it must not stop a login either. Two of a kind do (RFC 6749 3.2). */
function dropOddFields(body: unknown): void {
  if (!isObject(body)) return;
  if (typeof body.next !== 'string') delete body.next;
  if (typeof body.scope !== 'string' && !Array.isArray(body.scope)) delete body.scope;
}

/** An empty value counts as none (RFC 6749 3.2), two as a mistake in the request. */
function hasOtherGrantType(body: unknown): boolean {
  if (!isObject(body) || Array.isArray(body.grant_type)) return false;
  return body.grant_type !== undefined && body.grant_type !== '' && body.grant_type !== 'password';
}

function isObject(body: unknown): body is Record<string, unknown> {
  return typeof body === 'object' && body !== null;
}
