import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { isDocumentClient } from '../clients/library-client.ts';
import { isNativeAddress } from '../clients/uri-rules.ts';
import { authorizationPath, type ReturnAddress } from '../sign-in/pending-address.ts';
import { withScopes } from '../sign-in/requested-scopes.ts';
import type { BoundedRequest } from './bounded-request.ts';
import { takeEmptySecret } from './empty-secret.ts';
import { finishTokens } from './finish-tokens.ts';
import type { PostedAnswer } from './form-post.ts';
import type { ProviderOptions } from './options.ts';
import { reportSignIn } from './report-events.ts';
import { noteRequest, type ProviderRequest, signedInOf } from './requests.ts';

/** The response of the provider, which the route sends. */
export interface ProviderAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly type: string;
  readonly location: string | undefined;
  /** The address that a login leads back to. Undefined if no login is needed. */
  readonly loginNext: string | undefined;
  /** The error of the protocol, if it cannot be sent to the application. The user then sees a page. */
  readonly fault: ProtocolFault | undefined;
  /**
   * Set instead of `location`, `loginNext`, `fault` and `form` if the response is an error that must not lead the browser to the
   * application's site (see `isStranger`).
   */
  readonly stranger: StrangerSite | undefined;
  /** The form that the browser sends to the application. Undefined if the application asked for no form. */
  readonly form: PostedAnswer | undefined;
}

/** The site of an application that the operator has not listed, and that describes itself by a metadata document. */
export interface StrangerSite {
  readonly host: string;
  /** The address that the user's click leads to. Undefined if the response is a form. */
  readonly location: string | undefined;
}

export interface ProtocolFault {
  /** An error code as in RFC 6749 4.1.2.1. */
  readonly error: string;
  readonly error_description?: string;
}

/** Creates the function that makes the library answer a request. The route then sends the response. */
export function createAnswer(
  provider: Provider,
  options: ProviderOptions,
  returnAddress: ReturnAddress,
  keepGrant: (ctx: KoaContextWithOIDC) => Promise<void>,
) {
  const { issuer, findClient, findResource, signUpPath } = options;
  const contexts = new WeakMap<IncomingMessage, KoaContextWithOIDC>();
  const bounds = new WeakMap<IncomingMessage, BoundedRequest>();
  // Addresses in responses do not depend on the Host header (ASVS 4.1.3).
  const { protocol, host } = new URL(issuer);
  // Defined once on the prototype of requests, because defining them on each request takes time.
  Object.defineProperties(provider.request, {
    protocol: { value: protocol.slice(0, -1) },
    host: { value: host },
    href: {
      // The request target may be a whole URL with another host (RFC 9112 3.2.2), so only its path and query are used.
      get(this: typeof provider.request) {
        return `${issuer}${this.path}${this.search}`;
      },
    },
  });

  provider.use(async (koaContext, next) => {
    const ctx = koaContext as unknown as KoaContextWithOIDC;
    contexts.set(ctx.req, ctx);
    // Koa sends no response, because the route does.
    ctx.respond = false;
    // Koa's own parser of queries takes quadratic time, so it is replaced by the parsed query.
    Object.defineProperty(ctx.request, 'query', { value: bounds.get(ctx.req)?.query, writable: true });
    try {
      ctx.state.publicClient = await takeEmptySecret(ctx.req, findClient);
      if (ctx.path === authorizationPath) {
        ctx.state.askedAt = returnAddress.readTime(ctx.querystring);
        ctx.query = await withScopes(ctx.query, findResource);
      }
      await next();
      if (ctx.oidc?.route === 'token') await finishTokens(provider, ctx, options);
      // The refusal is recorded first, because a refused user may ask for the reason at once.
      await ctx.state.refusal;
      if (ctx.state.accepted) {
        await keepGrant(ctx);
        await reportSignIn(ctx, options);
      }
    } catch (error) {
      ctx.state.thrown = error;
    }
    adaptBody(ctx, signUpPath !== undefined);
  });

  const answer = provider.callback();
  const sessionCookie = provider.cookieName('session');

  /** Answers a request of the protocol. It writes cookies and headers to the response, and leaves sending it to the route. */
  return async (
    sent: IncomingMessage,
    res: ServerResponse,
    bounded: BoundedRequest,
    request: ProviderRequest,
  ): Promise<ProviderAnswer> => {
    const req = withBody(sent, bounded);
    // The library's parser of `Accept` takes quadratic time.
    req.headers.accept = req.headers.accept?.slice(0, longestAccept);
    noteRequest(req, request);
    bounds.set(req, bounded);
    await answer(req, res);
    const ctx = contexts.get(req);
    if (ctx === undefined || ctx.state.thrown !== undefined) throw ctx?.state.thrown ?? new Error('no answer');
    const cookies = [res.getHeader('set-cookie') ?? []].flat().map(String);
    // The library's session is made anew for each request, so its cookie is not needed. Without a session of Janua, no request is stored,
    // so no cookie is needed at all.
    const kept = request.signedIn && cookies.filter((cookie) => !cookie.startsWith(sessionCookie));
    res.removeHeader('set-cookie');
    if (kept !== undefined && kept.length > 0) res.setHeader('set-cookie', kept);
    const location = res.getHeader('location')?.toString();
    const { status } = ctx;
    // The route sets the status again, or sends a page in place of a redirect.
    res.statusCode = 200;
    for (const name of ['location', 'content-type', 'content-length']) res.removeHeader(name);
    const loginNext = location?.startsWith(`${authorizationPath}?`) ? location : undefined;
    const { fault, form } = ctx.state;
    const common = { status, body: ctx.body, type: ctx.type };
    if (ctx.state.isError && (await isStranger(ctx, options))) {
      const { host } = new URL(String(ctx.oidc.params?.redirect_uri));
      const none = { location: undefined, loginNext: undefined, fault: undefined, form: undefined };
      return { ...common, ...none, stranger: { host, location } };
    }
    return { ...common, location, loginNext, fault, form, stranger: undefined };
  };
}

/** The most characters of `Accept` that the library reads. Browsers send about 150. */
const longestAccept = 1000;

/** Returns the request with a body that the library can read, although the server has read it before. */
function withBody(sent: IncomingMessage, { body }: BoundedRequest): IncomingMessage {
  if (body === undefined) return sent;
  const { method, url, socket } = sent;
  const { 'transfer-encoding': _, ...headers } = { ...sent.headers, 'content-length': String(body.length) };
  return Object.assign(Readable.from(body.length === 0 ? [] : [body], { objectMode: false }), {
    ...{ method, url, socket, headers },
  }) as unknown as IncomingMessage;
}

/**
 * Tells whether an error must not lead to the application's site. With `CLIENT_ID_METADATA=any`, anyone can choose a redirect address by a
 * metadata document. An error that leads the browser there at once would make Janua an open redirector (RFC 9700 4.11.2). Janua trusts the
 * address once the user has allowed the application, or has just decided about it on a page.
 */
async function isStranger(ctx: KoaContextWithOIDC, { isListed, hasConsent }: ProviderOptions): Promise<boolean> {
  const { client, params, entities } = ctx.oidc;
  if (client === undefined || !isDocumentClient(client.clientId) || isListed(client.clientId)) return false;
  // A redirect to a program on the user's machine leads to no site.
  if (isNativeAddress(String(params?.redirect_uri)) || entities.Interaction?.result?.isDecided === true) return false;
  const user = signedInOf(ctx)?.user;
  return user === undefined || !(await hasConsent(user, client, []));
}

/** Changes the library's responses about this server (discovery) and about tokens (introspection). */
function adaptBody({ body, oidc, state }: KoaContextWithOIDC, offersSignUp: boolean): void {
  if (typeof body !== 'object' || body === null) return;
  // A resource may learn the rights of a client's token, but not the session in which the client got it.
  if ('sid' in body && oidc.route === 'introspection' && oidc.client?.api !== undefined) body.sid = undefined;
  // The response has no claim of the table under a name of its own, because a table sets no claim of the protocol.
  if ('active' in body && body.active === true)
    Object.assign(body, state.claims, state.username && { username: state.username });
  if ('claims_supported' in body && Array.isArray(body.claims_supported))
    // `locale` is left out, because only users who have chosen a language have one (OpenID Connect Core 5.1: the locale of the user, and
    // not of the page).
    body.claims_supported = body.claims_supported.filter((name) => name !== 'locale');
  if ('response_modes_supported' in body)
    Object.assign(body, {
      response_modes_supported: ['query', 'form_post'],
      // Initiating User Registration via OpenID Connect 1.0, 4.1
      prompt_values_supported: ['none', 'login', 'consent', 'select_account', ...(offersSignUp ? ['create'] : [])],
    });
}
