import { type Access, notAuthenticated, reasonOfRefusal } from '../../../core/access/access.ts';
import { Refusal } from '../../../core/access/refusal.ts';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import type { FlowOptions } from '../../../web/flow-options.ts';
import { leave, leavePage, leaveView } from '../../../web/leave.ts';
import { json, object, page, redirect, settingCookies, text } from '../../../web/openapi/responses.ts';
import { originForm } from '../../../web/request-target.ts';
import type { App, Reply, Request } from '../../../web/types.ts';
import type { Shown } from '../../../web/view.ts';
import type { OidcParts } from '../composition.ts';
import { applicationRefused, interactionOver, noProvider, repeatedParameter, requestTooLong } from '../refusals.ts';
import { authorizationPath } from '../sign-in/pending-address.ts';
import type { ProviderAnswer } from './answer.ts';
import { answerView } from './answer-page.ts';
import { addRawBodies, boundedOnly, requireBounded, requireShort } from './bounded-request.ts';
import type { PostedAnswer } from './form-post.ts';
import type { OpenIdProvider } from './provider.ts';

export type ProviderParts = Pick<OidcParts, 'openProvider'> & { readonly access: Access };

export const tag = 'OpenID Connect';

export const uidParameter = {
  type: 'object',
  properties: { uid: { type: 'string', description: 'The request that waits', examples: ['f3LrL0q2…'] } },
};

/** The endpoints for programs, which send no cookie, and may be on any site. */
const endpoints = [
  ['POST', '/oidc/token', 'Tokens (RFC 6749 3.2)'],
  ['GET', '/oidc/userinfo', 'Claims about a user (OpenID Connect Core 5.3)'],
  ['POST', '/oidc/userinfo', 'Claims about a user (OpenID Connect Core 5.3)'],
  ['POST', '/oidc/introspection', 'Whether a token counts (RFC 7662)'],
  ['POST', '/oidc/revocation', 'Revoke a token (RFC 7009)'],
  ['POST', '/oidc/par', 'Push a request, which a browser then names (RFC 9126)'],
  ['POST', '/oidc/device-authorization', 'Begin on a device (RFC 8628 3.1)'],
  ['GET', '/oidc/jwks', 'The keys that signatures are verified with (RFC 7517)'],
  ['GET', '/.well-known/openid-configuration', 'What the provider can do (OpenID Connect Discovery)'],
  ['GET', '/.well-known/oauth-authorization-server', 'What the provider can do (RFC 8414)'],
] as const;

/** The refusals of `requireBounded`. */
export const boundRefusals = [requestTooLong, repeatedParameter];

/** @throws {Refusal} `no-provider` */
export async function requireProvider({ openProvider }: Pick<OidcParts, 'openProvider'>): Promise<OpenIdProvider> {
  const provider = await openProvider();
  if (provider === undefined) throw new Refusal(noProvider);
  return provider;
}

/** Adds the endpoints of the protocol, which the library answers. */
export function addProvider(app: App, parts: () => ProviderParts, options: Pick<FlowOptions, 'publicOrigins'>): void {
  async function answer(request: Request, reply: Reply, takesSession: boolean): Promise<ProviderAnswer> {
    const bounded = requireBounded(request);
    const provider = await requireProvider(parts());
    const { cookie } = request.presented;
    const signedIn = takesSession ? await parts().access.findSignedIn({ cookie }) : undefined;
    return provider.answer(request.raw, reply.raw, bounded, { signedIn, caller: request.caller });
  }

  /** @throws {Refusal} `not-authenticated`: the browser logs in first, and then repeats its request at `next` */
  async function requireLogin(request: Request, next: string): Promise<never> {
    const { cookie } = request.presented;
    const { loginPage } = notAuthenticated;
    // Most sign-ins begin without the cookie of a session, so only an invalid cookie is recorded. The operator may want to know about it.
    if (reasonOfRefusal({ cookie }, request.caller) !== 'no-credential')
      await parts()
        .access.requireSignedIn({ cookie }, request)
        .catch((error) => {
          if (!(error instanceof Refusal)) throw error;
        });
    throw new Refusal({ ...notAuthenticated, ...(loginPage && { loginPage: { ...loginPage, next } }) });
  }

  app.register(async (scope: App) => {
    addRawBodies(scope);
    const answers = json(
      'What the protocol says',
      object('An object of the protocol', { error: text('invalid_grant') }, ['error']),
    );
    const refused = json(
      'The client or the token does not count',
      object('An error of the protocol', {
        error: text('invalid_client'),
        error_description: text('client authentication failed'),
      }),
    );
    const description = 'Errors have `error` and `error_description` alone, as the protocol says (RFC 6749 5.2).';
    for (const [method, url, summary] of endpoints) {
      scope.route({
        method,
        url,
        config: { anySite: true, pagesWhereOpened: true, refusals: [noProvider, ...boundRefusals] },
        schema: { summary, description, tags: [tag], response: { 200: answers, 401: refused } },
        handler: async (request, reply) => sendJson(reply, await answer(request, reply, false)),
      });
    }
    for (const url of new Set(endpoints.map(([, address]) => address)))
      scope.options(url, { config: { anySite: true }, schema: { hide: true } }, async (request, reply) => {
        // The library only sets the headers of a CORS preflight. The route sends the response.
        await answer(request, reply, false);
        const methods = endpoints.flatMap(([method, address]) => (address === url ? [method] : []));
        return reply
          .code(204)
          .header('allow', [...methods, 'OPTIONS'].join(', '))
          .send();
      });
  });

  for (const url of [authorizationPath, `${authorizationPath}/:uid`]) {
    app.get(
      url,
      {
        config: {
          view: answerView,
          hasLastingEffect: true,
          pageOnly: true,
          refusals: [noProvider, applicationRefused, interactionOver, ...boundRefusals, notAuthenticated],
        },
        schema: {
          summary: url === authorizationPath ? 'Sign in to an application' : 'Go on with a sign-in to an application',
          description:
            'The authorization endpoint (RFC 6749 3.1). A request needs a challenge (PKCE, S256), or a nonce, unless the client is set otherwise.',
          tags: [tag],
          ...(url !== authorizationPath && { params: uidParameter }),
          response: {
            200: leavePage('A page that leads to the application, or sends it a form (`response_mode=form_post`)'),
            303: settingCookies(redirect('To the application, or to our pages')),
            400: page('The request cannot be answered'),
          },
        },
      },
      async (request, reply): Shown<typeof answerView> => {
        const { location, loginNext, fault, form, status, stranger } = await answer(request, reply, true);
        if (stranger !== undefined) {
          reply.code(400);
          return { stranger, request_id: request.id };
        }
        if (loginNext !== undefined) return requireLogin(request, loginNext);
        if (form !== undefined) return postForm(request, reply, form);
        if (location !== undefined && status < 400) return goOn(request, reply, location);
        if (fault?.error === 'temporarily_unavailable') throw new Unavailable('Signing in', 5);
        // `onFault` has logged the error already.
        if (fault?.error === 'server_error') throw new Error('the provider failed');
        throw new Refusal(url === authorizationPath ? applicationRefused : interactionOver);
      },
    );
  }

  app.post(
    authorizationPath,
    {
      ...boundedOnly,
      config: { anySite: true, view: leaveView, pageOnly: true, refusals: [noProvider, ...boundRefusals] },
      schema: {
        summary: 'Sign in to an application, by a form',
        description: 'Leads to the same by GET, because browsers send no cookie with a form of another site.',
        tags: [tag],
        response: { 200: leavePage('A page that leads on') },
      },
    },
    (request, reply) => repeat(request, reply, authorizationPath, options),
  );
}

/** Answers a form of another site, which comes without our cookie, with a page that repeats it by GET. */
export function repeat(
  request: Request,
  reply: Reply,
  path: string,
  { publicOrigins }: Pick<FlowOptions, 'publicOrigins'>,
) {
  const fields = Object.entries(request.body ?? {}).flatMap(([name, sent]) =>
    [sent].flat().flatMap((value) => (typeof value === 'string' && value.isWellFormed() ? [[name, value]] : [])),
  );
  const target = `${path}?${new URLSearchParams(fields)}`;
  requireShort(target);
  reply.header('refresh', `0; url=${target}`);
  const [origin = ''] = publicOrigins;
  return { target, origin, path };
}

/** @param location an address of this server, or of the application */
function goOn(request: Request, reply: Reply, location: string) {
  return location.startsWith('/') ? reply.redirect(location, 303) : leave(request, reply, location);
}

/**
 * Answers with a page that sends the form by itself, and has a button for browsers that run no script. Only the content security policy of
 * this page allows the address of the form.
 */
function postForm(request: Request, reply: Reply, { address, fields }: PostedAnswer) {
  const { protocol, hostname, origin } = new URL(address);
  // Browsers also apply `form-action` to redirects after the form, so the policy allows every https address, not only the application's. A
  // policy cannot name [::1], so it allows the whole scheme instead.
  const local = hostname === '[::1]' ? protocol : origin;
  const policy = String(reply.getHeader('content-security-policy'));
  const allowed = `form-action 'self' https:${protocol === 'https:' ? '' : ` ${local}`}`;
  reply.header('content-security-policy', policy.replace("form-action 'self'", allowed));
  return { action: address, fields, origin, path: originForm(request.url) };
}

function sendJson(reply: Reply, { status, body, type }: ProviderAnswer): unknown {
  reply.code(status);
  // The response to a revocation has no body. Libraries in browsers read only JSON, and take any other type for an error.
  if (body === '') return reply.type('application/json; charset=utf-8').serializer(String).send('{}');
  if (body === undefined || body === null) return reply.send();
  if (typeof body === 'string') return reply.type(type).serializer(String).send(body);
  const isFault = typeof body === 'object' && 'error' in body && body.error === 'server_error';
  const answer = isFault ? { ...body, error_description: 'The server failed. Its log says why' } : body;
  return reply.type('application/json; charset=utf-8').serializer(JSON.stringify).send(answer);
}
