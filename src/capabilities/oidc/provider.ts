import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errors, type InteractionResults, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { SignedIn } from '../../core/access/access.ts';
import { createSecret, hashSecret, isSame } from '../../core/sessions/credential.ts';
import type { Session } from '../../core/sessions/sessions.ts';
import { type Account, stampOf } from '../../core/users/account.ts';
import type { User } from '../../core/users/user.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import { isNativeAddress, isRegistered, isWebAddress } from './addresses.ts';
import { type Asked, readAsked, requestedOf, scopesOfResources, withScopes } from './asked.ts';
import { acrOf } from './claims.ts';
import { isDocument, lasts, type ProviderClient } from './provider-client.ts';
import { configure } from './provider-configuration.ts';
import { createReadLogOut } from './provider-logout.ts';
import type { ProviderOptions, ProviderRequest } from './provider-options.ts';
import type { Payload } from './records.ts';
import { readRetiredHint } from './retired-keys.ts';
import { readToken } from './token-parts.ts';
import { authorizationPath, createReturnAddress } from './waiting.ts';

/** What the provider answers, for the route to send. */
export interface ProviderAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly type: string;
  readonly location: string | undefined;
  /** Where a login has to lead to, if no user is signed in. */
  readonly loginNext: string | undefined;
  /** The protocol's error, if a person has to see it because it cannot go to the application. */
  readonly fault: ProtocolFault | undefined;
  /** What the browser sends to the application in a form, if the application asked for that. */
  readonly form: PostedAnswer | undefined;
}

/** OAuth 2.0 Form Post Response Mode. */
export interface PostedAnswer {
  readonly address: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface ProtocolFault {
  /** As in RFC 6749 4.1.2.1. */
  readonly error: string;
  readonly error_description?: string;
}

type ResponseMode = Parameters<Provider['registerResponseMode']>[1];

/** Whether the application at a redirect address can take a form: the address leads to a server. */
const takesForms = (address: unknown): boolean => {
  const url = URL.parse(String(address));
  return url !== null && isWebAddress(url);
};

/** The library's own page with the form has a script in it, which our policy forbids, and no words. */
class PostingProvider extends Provider {
  override registerResponseMode(name: string, handler: ResponseMode): void {
    super.registerResponseMode(name, name === 'form_post' ? postAnswer : handler);
  }
}

const postAnswer: ResponseMode = (ctx, address, fields) => {
  if (takesForms(address)) {
    ctx.state.form = { address, fields };
    return;
  }
  const target = new URL(address);
  for (const [name, value] of Object.entries(fields)) target.searchParams.set(name, String(value));
  ctx.status = 303;
  ctx.redirect(target.href);
};

export type OpenIdProvider = ReturnType<typeof createProvider>;

/**
 * OpenID Connect and OAuth 2.1 by a certified library. Only the files whose names begin with `provider` know it. Who is signed in is decided by Janua's session alone: the
 * library's session is made of it for each request, and is not stored.
 */
export function createProvider(options: ProviderOptions) {
  const { issuer, records, findLiving, subjectOf } = options;
  const requests = new WeakMap<IncomingMessage, ProviderRequest>();
  const requestOf = (ctx: { readonly req: IncomingMessage }) => requests.get(ctx.req);
  const signedInOf = (ctx: { readonly req: IncomingMessage }) => requestOf(ctx)?.signedIn;

  /** What belongs to a session and a client always has the same id, so that it need not be stored. */
  const derive = (purpose: string, ...parts: readonly string[]) =>
    createHmac('sha256', options.key)
      .update(JSON.stringify([purpose, ...parts]))
      .digest('base64url');

  const returnAddress = createReturnAddress(derive, options.now);

  const provider: Provider = new PostingProvider(
    issuer,
    configure(options, {
      derive,
      requestOf,
      signedInOf,
      needsConsent,
      loadGrant,
      returnAddress: returnAddress.make,
    }),
  );

  /** Whether the user has to decide on a page, which was not shown yet. */
  async function needsConsent(ctx: KoaContextWithOIDC): Promise<boolean> {
    const { client, result } = ctx.oidc;
    const user = signedInOf(ctx)?.user;
    if (client === undefined || user === undefined || client.own || result?.consent) return false;
    // Any program of a machine could act as the application.
    return (
      isNativeAddress(String(ctx.oidc.params?.redirect_uri)) ||
      !(await options.hasConsent(user, client, requestedOf(ctx.oidc)))
    );
  }

  /** What the application was given already, or gets without a question. */
  async function loadGrant(ctx: KoaContextWithOIDC) {
    const { client, session, result, account } = ctx.oidc;
    const signedIn = signedInOf(ctx);
    if (client === undefined || session === undefined || account === undefined || signedIn === undefined)
      return undefined;
    const { clientId } = client;
    const given = await provider.Grant.find(String(result?.consent?.grantId ?? session.grantIdFor(clientId)));
    if (result?.consent || (await needsConsent(ctx))) return given;
    const to = { accountId: account.accountId, clientId, sessionId: session.uid };
    const grant = await giveGrant(to, ctx.oidc, given);
    // What outlives the session ends with the stamp, also where the user was not asked again.
    if (lasts(client, ctx.oidc.requestParamScopes)) await records.keep(grant.jti, signedIn.session.stamp);
    return grant;
  }

  /** Gives an application what it asks for, in a session. */
  async function giveGrant(
    to: { accountId: string; clientId: string; sessionId: string },
    asked: Asked,
    given?: Grant,
    isSeparate = false,
  ) {
    const { accountId, clientId, sessionId } = to;
    const grant = given ?? new provider.Grant({ accountId, clientId });
    if (!addAsked(grant, asked) && given !== undefined) return grant;
    grant.jti = given?.jti ?? (isSeparate ? createSecret() : derive('grant', sessionId, clientId));
    await grant.save();
    if (given === undefined) await records.bind(grant.jti, sessionId);
    return grant;
  }

  const { Session, RefreshToken, IdToken, ReplayDetection, Client: LibraryClient } = provider;
  // Without a payload it stands for a browser in which no user is signed in.
  const MadeSession = Session as unknown as new (payload?: object) => InstanceType<typeof Session>;

  Session.get = async (ctx) => {
    const signedIn = signedInOf(ctx);
    const session = signedIn === undefined ? new MadeSession() : await sessionOf(signedIn.session, signedIn.user);
    const { oidc, state } = ctx as unknown as KoaContextWithOIDC;
    oidc.entity('Session', session);
    // The user has logged in since the application asked, and is not asked again.
    if (signedIn !== undefined && signedIn.session.authenticatedAt >= state.askedAt)
      Object.assign(oidc, { result: { login: await loginOf(signedIn) } });
    return session;
  };
  Session.findByUid = async (uid) => {
    const living = await findLiving(uid);
    return living && sessionOf(living.session, living.account.user);
  };
  Object.assign(Session.prototype, {
    resetIdentifier() {},
    sidFor(this: { uid: string }, clientId: string) {
      return derive('sid', this.uid, clientId);
    },
    grantIdFor(this: { uid: string; granted?: Record<string, string> }, clientId: string, given?: string) {
      this.granted ??= {};
      if (given !== undefined) this.granted[clientId] = given;
      return this.granted[clientId] ?? derive('grant', this.uid, clientId);
    },
  });
  const { generateTokenId } = RefreshToken.prototype as unknown as { generateTokenId(this: object): string };
  Object.assign(RefreshToken.prototype, {
    generateTokenId(this: object) {
      const former = Provider.ctx?.oidc.entities.RotatedRefreshToken;
      return former === undefined ? generateTokenId.call(this) : records.successorOf(former.jti);
    },
  });
  Object.assign(LibraryClient.prototype, {
    compareClientSecret(this: { clientSecret: string }, sent: string) {
      return isSame(hashSecret(sent), this.clientSecret);
    },
    redirectUriAllowed(this: { redirectUris: readonly string[] }, address: string) {
      return isRegistered(address, this.redirectUris);
    },
    postLogoutRedirectUriAllowed(this: { postLogoutRedirectUris?: readonly string[] }, address: string) {
      return isRegistered(address, this.postLogoutRedirectUris ?? []);
    },
    // An ID token names its session, also to clients without a back channel: it is the hint at a logout.
    includeSid: () => true,
    responseModeAllowed: (mode: string | undefined) =>
      mode === 'query' || (mode === 'form_post' && takesForms(Provider.ctx?.oidc.params?.redirect_uri)),
  });

  // The library knows web clients and native ones, and a single address of the other kind would make a whole client void. Ours have
  // addresses of both kinds: `findRedirectFault` has judged each of them.
  Object.assign((LibraryClient as unknown as { Schema: { prototype: object } }).Schema.prototype, {
    redirectUris() {},
  });

  // The library finds, then saves: an assertion that is sent several times at once would count each time.
  Object.assign(ReplayDetection, {
    unique: (issuer: string, jti: string, end: number) => records.useAssertion(issuer, jti, end * 1000),
  });
  const { validate } = IdToken;
  Object.assign(IdToken, {
    validate: (token: string, client: ProviderClient) =>
      validate.call(IdToken, token, client as InstanceType<typeof LibraryClient>).catch(async (error: unknown) => {
        const hint = await readRetiredHint(token, {
          issuer,
          clientId: client.clientId,
          findKey: options.findRetiredKey,
        });
        return hint ?? Promise.reject(error);
      }),
  });

  async function sessionOf(session: Session, user: User) {
    return new MadeSession({
      jti: session.id,
      uid: session.id,
      accountId: await subjectOf(user),
      loginTs: Math.floor(session.authenticatedAt / 1000),
      amr: [...session.methods],
      acr: acrOf(session.methods),
    });
  }

  /** The proof of a session, in the terms of the protocol. */
  async function loginOf({ session, user }: SignedIn) {
    const { accountId = '', loginTs, amr, acr } = await sessionOf(session, user);
    return { accountId, ...(loginTs !== undefined && { ts: loginTs }), ...(amr && { amr }), ...(acr && { acr }) };
  }

  /**
   * A public client that sends an empty secret by Basic has sent none. Go's `oauth2` and others try so first.
   * @returns its id, which the library then reads as if the form had it
   */
  async function takeEmptySecret({ headers }: IncomingMessage): Promise<string | undefined> {
    const [, encoded = ''] = /^basic +([A-Za-z\d+/]+={0,2})$/i.exec(headers.authorization ?? '') ?? [];
    const [, named] = /^([^:&]+):$/.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
    // The id is encoded as in a form (RFC 6749 2.3.1).
    const clientId = new URLSearchParams(`id=${named ?? ''}`).get('id') || undefined;
    if (clientId === undefined) return undefined;
    const client = isDocument(clientId) ? undefined : await options.findClient(clientId);
    if (client?.secretHash !== undefined) return undefined;
    delete headers.authorization;
    return clientId;
  }

  const bodies = new WeakMap<object, Readonly<Record<string, unknown>>>();
  Object.defineProperty((provider as unknown as { OIDCContext: { prototype: object } }).OIDCContext.prototype, 'body', {
    get(this: object) {
      return bodies.get(this);
    },
    set(this: { readonly ctx: KoaContextWithOIDC }, body: Readonly<Record<string, unknown>>) {
      const { publicClient } = this.ctx.state;
      const isOther = body?.client_id !== undefined && body.client_id !== publicClient;
      // Two ids are refused as a field that is sent twice.
      const client_id = isOther ? [body.client_id, publicClient] : publicClient;
      bodies.set(this, publicClient === undefined ? body : { ...body, client_id });
    },
  });

  const contexts = new WeakMap<IncomingMessage, KoaContextWithOIDC>();
  provider.use(async (koaContext, next) => {
    const ctx = koaContext as unknown as KoaContextWithOIDC;
    contexts.set(ctx.req, ctx);
    // The route sends the answer.
    ctx.respond = false;
    // Addresses never follow the Host header (ASVS 4.1.3).
    const { protocol, host } = new URL(issuer);
    // A target may itself contain a host (RFC 9112 3.2.2).
    const href = `${issuer}${ctx.path}${ctx.search}`;
    for (const [name, value] of Object.entries({ protocol: protocol.slice(0, -1), host, href }))
      Object.defineProperty(ctx.request, name, { value });
    try {
      ctx.state.publicClient = await takeEmptySecret(ctx.req);
      if (ctx.path === authorizationPath) {
        ctx.state.askedAt = returnAddress.readTime(ctx.querystring);
        ctx.query = await withScopes(ctx.query, options.findResource);
      }
      await next();
      // A refused user may ask at once why.
      await ctx.state.refusal;
      if (ctx.state.accepted) await noteSignIn(ctx);
    } catch (error) {
      ctx.state.thrown = error;
    }
    const { body } = ctx;
    if (typeof body !== 'object' || body === null) return;
    // An API learns what the token of a client allows, and not in which session the client got it.
    if ('sid' in body && ctx.oidc.route === 'introspection' && ctx.oidc.client?.api !== undefined) body.sid = undefined;
    if ('claims_supported' in body && Array.isArray(body.claims_supported))
      // Only users who have chosen a language have one (OpenID Connect Core 5.1: the locale of the user, and not of the page).
      body.claims_supported = body.claims_supported.filter((name) => name !== 'locale');
    if ('response_modes_supported' in body)
      Object.assign(body, {
        response_modes_supported: ['query', 'form_post'],
        // Initiating User Registration via OpenID Connect 1.0, 4.1
        prompt_values_supported: [
          'none',
          'login',
          'consent',
          'select_account',
          ...(options.signUpPath === undefined ? [] : ['create']),
        ],
      });
  });

  provider.on('authorization.success', (ctx) => {
    ctx.state.accepted = true;
  });
  provider.on('grant.success', ({ oidc }) => options.onTokens?.(String(oidc.params?.grant_type)));
  provider.on('server_error', (ctx, error) => {
    if (error instanceof Unavailable) ctx.state.thrown = error;
    else options.onFault(error);
  });
  for (const event of errorEvents)
    provider.on(event as 'authorization.error', ({ oidc, req, state, method, query }, error) => {
      if (expectedErrors.has(error.error)) return;
      const clientId = oidc.client?.clientId ?? oidc.params?.client_id ?? oidc.entities.AccessToken?.clientId;
      const refused = options.onRefused({
        request: requests.get(req),
        clientId: typeof clientId === 'string' ? clientId : undefined,
        error: error.error,
        detail: [error.error_description, error.error_detail].filter(Boolean).join(': '),
        // The library clears what it does not know.
        parameters: { ...oidc.params, ...(method === 'POST' ? oidc.body : query) },
        reason: state.reason,
      });
      state.refusal = Promise.all([state.refusal, refused]);
    });

  /** Before the browser gets the code: an application that has one is told about the end of the session. */
  async function noteSignIn(ctx: KoaContextWithOIDC): Promise<void> {
    const { client, session, account } = ctx.oidc;
    const request = requestOf(ctx);
    const signedIn = request?.signedIn;
    if (request === undefined || signedIn === undefined) return;
    if (client === undefined || session === undefined || account === undefined) return;
    const sid = session.sidFor(client.clientId) ?? '';
    await options.onSignedIn({ signedIn, caller: request.caller, client, subject: account.accountId, sid });
  }

  const answer = provider.callback();
  const sessionCookie = provider.cookieName('session');

  return {
    /** Answers a request of the protocol. It writes cookies and headers to the response, and leaves sending it to the route. */
    async answer(req: IncomingMessage, res: ServerResponse, request: ProviderRequest): Promise<ProviderAnswer> {
      requests.set(req, request);
      await answer(req, res);
      const ctx = contexts.get(req);
      if (ctx === undefined || ctx.state.thrown !== undefined) throw ctx?.state.thrown ?? new Error('no answer');
      const cookies = [res.getHeader('set-cookie') ?? []].flat().map(String);
      // The session of the library is made anew for each request. Without a session nothing waits that a cookie could belong to.
      const kept = request.signedIn && cookies.filter((cookie) => !cookie.startsWith(sessionCookie));
      res.removeHeader('set-cookie');
      if (kept !== undefined && kept.length > 0) res.setHeader('set-cookie', kept);
      const location = res.getHeader('location')?.toString();
      const { status } = ctx;
      // The route sets it again, or sends a page in place of a redirect.
      res.statusCode = 200;
      for (const name of ['location', 'content-type', 'content-length']) res.removeHeader(name);
      const loginNext = location?.startsWith(`${authorizationPath}?`) ? location : undefined;
      const { fault, form } = ctx.state;
      return { status, body: ctx.body, type: ctx.type, location, loginNext, fault, form };
    },

    /** A request that waits for its user. Undefined if it has ended, or belongs to another browser. */
    async findInteraction(req: IncomingMessage, res: ServerResponse): Promise<WaitingRequest | undefined> {
      try {
        const { uid, prompt, params } = await provider.interactionDetails(req, res);
        const client = await provider.Client.find(String(params.client_id));
        if (client === undefined) return undefined;
        const { id_token_hint: hint } = params;
        const subject = typeof hint === 'string' ? readToken(hint).payload?.sub : undefined;
        return { uid, prompt, client, params, subject, asked: await readAsked(params, options.findResource) };
      } catch (error) {
        if (error instanceof errors.OIDCProviderError) return undefined;
        throw error;
      }
    },

    loginOf,

    /** Where a login leads that is to begin a request anew. */
    returnAddress: returnAddress.make,

    /** What a device gets. It lasts without the session. */
    async deviceAnswer(
      { client, asked }: WaitingDevice,
      { session, user }: SignedIn,
      grantId: string,
    ): Promise<Payload> {
      const { accountId, loginTs: authTime, amr, acr } = await sessionOf(session, user);
      const [resource] = Object.keys(asked.resourceServers ?? {});
      const scope = [...asked.requestParamScopes].join(' ');
      // Not the session of the browser in which the user let the device in.
      const sid = derive('sid', grantId, client.clientId);
      const answer = { accountId, authTime, amr, acr, grantId, scope, sid, sessionUid: session.id };
      return { ...answer, ...(resource && { resource }) };
    },

    /** Ends what it waited for. @returns where the browser goes on */
    finishInteraction: (req: IncomingMessage, res: ServerResponse, result: InteractionResults): Promise<string> =>
      provider.interactionResult(req, res, result),

    /**
     * Gives an application what it asked for, because the user let it.
     * @param account if the application keeps it when the session ends
     * @returns the id of the grant
     */
    async grant(client: ProviderClient, asked: Asked, { session, user }: SignedIn, account: Account | undefined) {
      const to = { accountId: await subjectOf(user), clientId: client.clientId, sessionId: session.id };
      // What lasts has a grant of its own: it ends by itself, and a plain sign-in in the same browser goes on.
      const isLasting = account !== undefined;
      const given = isLasting ? undefined : await provider.Grant.find(derive('grant', session.id, client.clientId));
      const { jti } = await giveGrant(to, asked, given, isLasting);
      if (isLasting) await records.keep(jti, stampOf(account));
      return jti;
    },

    async findDevice(userCode: string): Promise<WaitingDevice | undefined> {
      const code = await provider.DeviceCode.findByUserCode(userCode);
      const client = code?.clientId === undefined ? undefined : await provider.Client.find(code.clientId);
      if (code === undefined || client === undefined || code.accountId || code.error) return undefined;
      const { params = {}, iat, deviceInfo } = code;
      const [askedAt, askedFrom] = [new Date(Number(iat) * 1000), deviceInfo?.address];
      return { client, params, asked: await readAsked(params, options.findResource), askedAt, askedFrom };
    },

    readLogOut: createReadLogOut(provider),

    /** What ID tokens of an application call a session. */
    sidOf: (sessionId: string, clientId: string): string => derive('sid', sessionId, clientId),

    /** Tells an application that a session has ended (OpenID Connect Back-Channel Logout 1.0). @throws {Error} if it does not take it */
    async tellLogOut({ clientId, subject, sid }: { clientId: string; subject: string; sid: string }): Promise<void> {
      const client = await provider.Client.find(clientId);
      if (client?.backchannelLogoutUri) await (client as unknown as BackChannel).backchannelLogout(subject, sid);
    },
  };
}

/** Missing in the types of the library. */
interface BackChannel {
  backchannelLogout(subject: string, sid: string): Promise<void>;
}

/** A request that waits for its user. */
export interface WaitingRequest {
  readonly uid: string;
  readonly prompt: { readonly name: string; readonly reasons: readonly string[] };
  readonly client: ProviderClient;
  readonly params: Readonly<Record<string, unknown>>;
  readonly asked: Asked;
  /** The user whom the application asks for by an ID token, which was verified when the request came. */
  readonly subject: unknown;
}

export interface WaitingDevice extends Pick<WaitingRequest, 'client' | 'params' | 'asked'> {
  readonly askedAt: Date;
  /** The address of the device. Undefined if it has none, as over a Unix socket. */
  readonly askedFrom: unknown;
}

type Grant = InstanceType<Provider['Grant']>;

/** False if the grant has all of it already. */
function addAsked(grant: Grant, asked: Asked): boolean {
  const before = JSON.stringify([grant.openid, grant.resources]);
  if (asked.requestParamOIDCScopes.size > 0) grant.addOIDCScope(new Set(asked.requestParamOIDCScopes));
  if (asked.requestParamClaims.size > 0) grant.addOIDCClaims(new Set(asked.requestParamClaims));
  for (const { resource, scope } of scopesOfResources(asked)) grant.addResourceScope(resource, scope);
  return JSON.stringify([grant.openid, grant.resources]) !== before;
}

const errorEvents = [
  'authorization.error',
  'grant.error',
  'device_authorization.error',
  'revocation.error',
  'introspection.error',
  'userinfo.error',
];

/** Part of how the protocol works, and no fault of the application. */
const expectedErrors: ReadonlySet<string> = new Set([
  'authorization_pending',
  'slow_down',
  'login_required',
  'consent_required',
  'interaction_required',
]);
