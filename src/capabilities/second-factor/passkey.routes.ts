import { challengePurposes } from '../../core/access/factor.ts';
import { createSecret } from '../../core/sessions/credential.ts';
import { type Action, addAction, type Fields, type Input } from '../../web/action.ts';
import { ceremonyCookie } from '../../web/cookies.ts';
import { credentialField } from '../../web/fields.ts';
import { bodyLimit } from '../../web/hooks/bodies.ts';
import { ambiguousCredential, signedInOf } from '../../web/hooks/credentials.ts';
import { homePath, safeNext } from '../../web/next.ts';
import { json, object, settingCookies, text } from '../../web/openapi/responses.ts';
import { sessionStarted } from '../../web/token-answer.ts';
import type { App, Request } from '../../web/types.ts';
import type { RouteOptions } from '../capability.ts';
import type { Binding } from './challenges.ts';
import type { FactorParts } from './composition.ts';
import { assetLinks, siteAssociation } from './passkey-apps.ts';
import { passkeyRefused, passkeyUnknown } from './refusals.ts';

/** The request by which a page or a program gets a challenge. */
interface OptionsAction<F extends Fields> extends Pick<Action<F>, 'summary' | 'tag' | 'fields'> {
  readonly config: Action['config'] & { readonly openedAt: string };
  /** The function of the browser that takes the options. Default: `parseRequestOptionsFromJSON` */
  readonly takenBy?: 'parseCreationOptionsFromJSON';
  /** @param bind makes the binding of the challenge, and sets the cookie of the browser */
  find(request: Request, bind: (purpose: string) => Binding, input: Input<F>): Promise<object | undefined>;
}

/**
 * Adds a route that gives the options for a passkey, with a challenge. A second request then sends the browser's answer. A cookie binds the
 * challenge to the browser. The cookie authenticates no request.
 */
export function addPasskeyOptions<const F extends Fields>(
  app: App,
  https: boolean,
  addresses: readonly [page: string, api: string],
  { find, takenBy, ...action }: OptionsAction<F>,
): void {
  const cookie = ceremonyCookie(https);
  const schema = {
    type: 'object',
    description: `For \`PublicKeyCredential.${takenBy ?? 'parseRequestOptionsFromJSON'}\``,
    additionalProperties: true,
  };
  addAction<F, unknown>(app, addresses, {
    ...action,
    method: 'POST',
    description: 'Gives a challenge, and the cookie `ceremony`, which has to come back with the passkey.',
    answer: settingCookies(json('Options for the browser', schema, { challenge: '6Z3wq…', timeout: 300_000 })),
    browser: 'To the page: only scripts have a use for the options',
    async handle(request, reply, input) {
      const bind = (purpose: string) => {
        const sent = cookie.read(request.headers.cookie) ?? '';
        // The cookie is kept, because pages in other tabs use it too.
        const value = /^[\w-]{43}$/.test(sent) ? sent : createSecret();
        reply.header('set-cookie', cookie.header(value));
        return { purpose, cookie: value };
      };
      return reply.proceed(action.config.openedAt, await find(request, bind, input));
    },
  });
}

const page = text('https://auth.example.com/account/security');

type PasskeyParts = Pick<FactorParts, 'logInByPasskey' | 'factors'>;

/** Adds the login by a passkey alone, and the challenge for a passkey as fresh proof. */
export function addPasskeys(
  app: App,
  parts: () => PasskeyParts,
  { https, publicOrigins, features }: RouteOptions,
): void {
  const [tag, openedAt] = ['Sign in', '/auth/login'] as const;

  app.get(
    '/.well-known/passkey-endpoints',
    {
      config: { anySite: true, problems: [500] },
      schema: {
        summary: 'Where users add and manage passkeys, for their providers (W3C Passkey Endpoints)',
        tags: ['Operation'],
        response: { 200: json('The addresses', object('The addresses', { enroll: page, manage: page })) },
      },
    },
    async () => {
      const [origin = ''] = publicOrigins;
      const security = `${origin}/account/security`;
      return { enroll: security, manage: security };
    },
  );

  const { passkeyApps } = features;
  const files = { 'apple-app-site-association': siteAssociation, 'assetlinks.json': assetLinks };
  for (const [name, describe] of passkeyApps.length === 0 ? [] : Object.entries(files))
    app.get(`/.well-known/${name}`, { config: { anySite: true }, schema: { hide: true } }, async (_request, reply) =>
      reply.type('application/json; charset=utf-8').serializer(JSON.stringify).send(describe(passkeyApps)),
    );

  addPasskeyOptions(app, https, ['/auth/passkey/options', '/api/passkey/options'], {
    summary: 'Begin a login by passkey',
    tag,
    config: { openedAt },
    find: (_request, bind) => parts().factors.passkeys.requestOptions(bind('sign-in')),
  });

  addAction(app, ['/auth/passkey', '/api/passkey'], {
    method: 'POST',
    summary: 'Log in by passkey',
    description:
      'Checks the passkey, starts a new session, and ends every session that the client presented. Both responses set the session cookie.',
    tag,
    fields: {
      credential: credentialField,
      remember: { description: '`on` to stay signed in for longer, and after the browser closes', examples: ['on'] },
      next: { maxLength: bodyLimit, description: 'For pages: the path to go to after the login' },
    },
    config: { openedAt, refusals: [passkeyRefused, passkeyUnknown, ambiguousCredential] },
    answer: sessionStarted,
    browser: 'To the home page or `next`, or back to the login page if refused',
    async handle(request, reply, { credential, remember, next }) {
      const { presented, caller, headers, language } = request;
      const login = { credential, remembered: remember === 'on', presented, language, headers };
      const admitted = await parts().logInByPasskey(login, caller);
      return reply.proceed(safeNext(next) ?? homePath, reply.answerLogin(admitted));
    },
  });

  addPasskeyOptions(app, https, ['/auth/confirm/options', '/api/confirm/options'], {
    summary: 'Ask for a passkey as a fresh proof',
    tag,
    config: { signedIn: true, openedAt: '/auth/confirm' },
    find(request, bind) {
      const { user, session } = signedInOf(request);
      const { passkeys } = parts().factors;
      return passkeys.requestOptions(bind(challengePurposes.confirm(session.id)), user);
    },
  });
}
