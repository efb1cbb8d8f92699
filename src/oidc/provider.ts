import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type ClientMetadata,
  errors,
  type InteractionResults,
  interactionPolicy,
  type KoaContextWithOIDC,
  Provider,
} from 'oidc-provider';
import type { SignedIn } from '../access/access.ts';
import type { Caller } from '../audit/event.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { createSecret, hashSecret, isSame } from '../sessions/credential.ts';
import type { Session } from '../sessions/sessions.ts';
import { pageWithHints } from '../text/page-hints.ts';
import type { Account } from '../users/account.ts';
import type { User } from '../users/user.ts';
import { type Asked, requestedOf, scopeOfClaim, scopesOfResources } from './asked.ts';
import { acrOf, acrValues, claimsOf, claimsOfScopes } from './claims.ts';
import type { Client } from './clients.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import {
  codeGrant,
  deviceGrant,
  isDocument,
  isNative,
  lasts,
  mayUse,
  type ProviderClient,
  refreshGrant,
} from './provider-client.ts';
import { type Payload, type Records, Spent, TooFast } from './records.ts';
import type { Resource } from './resources.ts';
import type { SigningKey } from './signing-keys.ts';

const { Check, Prompt } = interactionPolicy;

export type Context = KoaContextWithOIDC;

/** The request that the provider answers. */
export interface ProviderRequest {
  readonly signedIn: SignedIn | undefined;
  readonly caller: Caller;
}

/** What the provider answers, for the route to send. */
export interface ProviderAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly type: string;
  readonly location: string | undefined;
  /** The protocol's error, if a person has to see it because it cannot go to the application. */
  readonly fault: ProtocolFault | undefined;
}

export interface ProtocolFault {
  /** As in RFC 6749 4.1.2.1. */
  readonly error: string;
  readonly error_description?: string;
}

export interface ProviderOptions {
  /** The address of this server, without a slash at the end. */
  readonly issuer: string;
  readonly keys: readonly SigningKey[];
  /** From which ids of grants are derived. */
  readonly key: Buffer;
  readonly records: Records;
  readonly findClient: (id: string) => Promise<Client | undefined>;
  readonly findResource: (uri: string) => Promise<Resource | undefined>;
  readonly findLiving: (sessionId: string) => Promise<{ session: Session; account: Account } | undefined>;
  readonly subjectOf: (user: User) => Promise<string>;
  readonly findAccount: (subject: string) => Promise<Account | undefined>;
  /** Whether the user let the application have all of this before, and it has not changed. */
  readonly hasConsent: (user: User, client: ProviderClient, scopes: readonly string[]) => Promise<boolean>;
  /** Whether an application may introduce itself by the document at this address. Undefined: none may. */
  readonly allowsDocument: ((address: string) => boolean) | undefined;
  readonly fetch: GuardedFetch;
  /** Seconds that a session may last at most. */
  readonly sessionSeconds: number;
  /** A browser was sent back to an application. */
  readonly onSignedIn: (signIn: SignedInApplication) => Promise<void>;
  readonly onRefused: (refusal: RefusedRequest) => void;
  /** An application got tokens. Called with the grant type. */
  readonly onTokens: ((grantType: string) => void) | undefined;
  readonly onFault: (error: Error) => void;
}

export interface SignedInApplication {
  readonly signedIn: SignedIn;
  readonly caller: Caller;
  readonly client: ProviderClient;
  readonly subject: string;
  readonly sid: string;
}

export interface RefusedRequest {
  readonly request: ProviderRequest | undefined;
  readonly clientId: string | undefined;
  readonly error: string;
  readonly detail: string;
}

export type OpenIdProvider = ReturnType<typeof createProvider>;

/** A client in the terms of RFC 7591. Unlike the library, we keep a hash of the secret. */
const metadataOf = (client: Client): ClientMetadata => ({
  client_id: client.id,
  client_name: client.name,
  redirect_uris: [...client.redirectUris],
  post_logout_redirect_uris: [...client.postLogoutRedirectUris],
  response_types: client.redirectUris.length > 0 ? ['code'] : [],
  response_modes: ['query'],
  grant_types: [
    ...(client.redirectUris.length > 0 ? [codeGrant] : []),
    refreshGrant,
    ...(client.device ? [deviceGrant] : []),
  ],
  application_type: isNative(client) ? 'native' : 'web',
  token_endpoint_auth_method: client.secretHash === undefined ? 'none' : 'client_secret_basic',
  ...(client.secretHash !== undefined && { client_secret: client.secretHash }),
  ...(client.backchannelLogoutUri !== undefined && {
    backchannel_logout_uri: client.backchannelLogoutUri,
    backchannel_logout_session_required: true,
  }),
  own: client.own,
  groups: client.groups,
  secondFactor: client.secondFactor,
});

/**
 * OpenID Connect and OAuth 2.1 by a certified library. Only this file knows it. Who is signed in is decided by Janua's session alone: the
 * library's session is made of it for each request, and is not stored.
 */
export function createProvider(options: ProviderOptions) {
  const { issuer, records, findLiving, subjectOf, findAccount } = options;
  const requests = new WeakMap<IncomingMessage, ProviderRequest>();
  const requestOf = (ctx: { readonly req: IncomingMessage }) => requests.get(ctx.req);
  const signedInOf = (ctx: { readonly req: IncomingMessage }) => requestOf(ctx)?.signedIn;

  /** What belongs to a session and a client always has the same id, so that it need not be stored. */
  const derive = (purpose: string, ...parts: readonly string[]) =>
    createHmac('sha256', options.key)
      .update(JSON.stringify([purpose, ...parts]))
      .digest('base64url');

  const provider = new Provider(issuer, {
    adapter: (model: string) => adapterOf(model, options),
    jwks: { keys: [...options.keys] },
    acrValues: Object.values(acrValues),
    claims: { ...claimsOfScopes, iss: null, sid: null },
    scopes: ['openid', 'offline_access'],
    // Many applications read the ID token alone.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'none',
      ...(options.allowsDocument ? (['private_key_jwt'] as const) : []),
    ],
    clientDefaults: { grant_types: [codeGrant], response_types: ['code'], id_token_signed_response_alg: 'RS256' },
    extraClientMetadata: { properties: ['own', 'groups', 'secondFactor'] },
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'ES256'],
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256'],
    },
    discovery: { service_documentation: undefined },
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    enableHttpPostMethods: false,
    fetch: (address, init) => options.fetch(address instanceof Request ? address.url : address, init),
    cookies: {
      keys: [derive('cookies')],
      names: { session: 'oidc-session', interaction: 'oidc-interaction', resume: 'oidc-resume' },
      short: { httpOnly: true, sameSite: 'lax', secure: issuer.startsWith('https:') },
    },
    routes: {
      authorization: '/oidc/auth',
      token: '/oidc/token',
      userinfo: '/oidc/userinfo',
      jwks: '/oidc/jwks',
      introspection: '/oidc/introspection',
      revocation: '/oidc/revocation',
      end_session: '/oidc/logout',
      device_authorization: '/oidc/device-authorization',
      code_verification: '/oidc/device',
    },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 3600,
      AuthorizationCode: 60,
      DeviceCode: 600,
      Grant: options.sessionSeconds,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 30 * 86_400,
      Session: options.sessionSeconds,
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      claimsParameter: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId,
      },
      introspection: {
        enabled: true,
        // A server that accepts tokens asks about those that were made for a resource; an application about its own.
        allowedPolicy: async (_ctx, client, token) =>
          client.clientAuthMethod !== 'none' &&
          !isDocument(client.clientId) &&
          (token.clientId === client.clientId || ('aud' in token && token.aud !== undefined)),
      },
      deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****' },
      resourceIndicators: {
        enabled: true,
        defaultResource: async (_ctx, _client, oneOf) => oneOf ?? [],
        useGrantedResource: async (_ctx, source) => !source.scopes.has('openid'),
        async getResourceServerInfo(_ctx, uri) {
          const resource = await options.findResource(uri);
          if (resource === undefined) throw new errors.InvalidTarget('unknown resource');
          const isSigned = resource.tokenFormat === 'jwt';
          return {
            scope: resource.scopes.join(' '),
            audience: resource.uri,
            accessTokenFormat: resource.tokenFormat,
            accessTokenTTL: isSigned ? 300 : 3600,
            ...(isSigned && { jwt: { sign: { alg: 'ES256' as const } } }),
          };
        },
      },
      ...(options.allowsDocument && {
        rpMetadataChoices: { enabled: true },
        clientIdMetadataDocument: {
          enabled: true,
          ack: 'draft-02',
          allowFetch: async (_ctx: Context, address: string) => options.allowsDocument?.(address) ?? false,
          allowClient: async (_ctx: Context, { clientId }: { clientId: string }) =>
            options.allowsDocument?.(clientId) ?? false,
        },
      }),
    },
    interactions: {
      policy: createPolicy(signedInOf, needsConsent),
      url: async (_ctx, { uid, params }) => pageWithHints(`/oidc/interaction/${uid}`, params),
    },
    clientBasedCORS: (_ctx, origin, { redirectUris = [] }) =>
      redirectUris.some((address) => URL.parse(address)?.origin === origin && origin !== 'null'),
    expiresWithSession: async ({ oidc }, source) => !lasts(oidc.client ?? { clientId: '' }, source.scopes),
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed(refreshGrant),
    rotateRefreshToken: true,
    async findAccount({ oidc }, subject) {
      const account = await findAccount(subject);
      if (account === undefined || (oidc.client !== undefined && !mayUse(oidc.client, account.user))) return undefined;
      return { accountId: subject, claims: async () => claimsOf(subject, account) };
    },
    async loadExistingGrant(ctx) {
      const { client, session, result, account } = ctx.oidc;
      const user = signedInOf(ctx)?.user;
      if (client === undefined || session === undefined || account === undefined || user === undefined)
        return undefined;
      const { clientId } = client;
      const given = await provider.Grant.find(String(result?.consent?.grantId ?? session.grantIdFor(clientId)));
      return result?.consent || (await needsConsent(ctx))
        ? given
        : giveGrant({ accountId: account.accountId, clientId, sessionId: session.uid }, ctx.oidc, given);
    },
    renderError(ctx, fault) {
      ctx.state.fault = fault;
      ctx.body = fault;
    },
  });

  /** Whether the user has to decide on a page, which was not shown yet. */
  async function needsConsent(ctx: Context): Promise<boolean> {
    const { client, result } = ctx.oidc;
    const user = signedInOf(ctx)?.user;
    if (client === undefined || user === undefined || client.own || result?.consent) return false;
    // Any program of a machine could act as the application.
    return isNative(client) || !(await options.hasConsent(user, client, requestedOf(ctx.oidc)));
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

  const { Session, RefreshToken, Client: LibraryClient } = provider;
  // Without a payload it stands for a browser in which no user is signed in.
  const MadeSession = Session as unknown as new (payload?: object) => InstanceType<typeof Session>;

  Session.get = async (ctx) => {
    const signedIn = signedInOf(ctx);
    const session = signedIn === undefined ? new MadeSession() : await sessionOf(signedIn.session, signedIn.user);
    (ctx as unknown as Context).oidc.entity('Session', session);
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

  const contexts = new WeakMap<IncomingMessage, Context>();
  provider.use(async (koaContext, next) => {
    const ctx = koaContext as unknown as Context;
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
      await addScopes(ctx, options.findResource);
      await next();
      if (ctx.state.accepted) await noteSignIn(ctx);
    } catch (error) {
      ctx.state.thrown = error;
    }
    if (typeof ctx.body === 'object' && ctx.body !== null && 'response_modes_supported' in ctx.body)
      ctx.body.response_modes_supported = ['query'];
  });

  provider.on('authorization.success', (ctx) => {
    ctx.state.accepted = true;
  });
  provider.on('grant.success', ({ oidc }) => options.onTokens?.(String(oidc.params?.grant_type)));
  provider.on('server_error', (ctx, error) => {
    if (error instanceof Unavailable) ctx.state.thrown = error;
    else options.onFault(error);
  });
  for (const event of refusals)
    provider.on(event as 'authorization.error', ({ oidc, req }, error) => {
      if (usual.has(error.error)) return;
      const clientId = oidc.client?.clientId ?? oidc.params?.client_id;
      options.onRefused({
        request: requests.get(req),
        clientId: typeof clientId === 'string' ? clientId : undefined,
        error: error.error,
        detail: `${error.error_description ?? ''} ${error.error_detail ?? ''}`,
      });
    });

  /** Before the browser gets the code: an application that has one is told about the end of the session. */
  async function noteSignIn(ctx: Context): Promise<void> {
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
      // The session of the library is made anew for each request.
      const kept = cookies.filter((cookie) => !cookie.startsWith(sessionCookie));
      res.removeHeader('set-cookie');
      if (kept.length > 0) res.setHeader('set-cookie', kept);
      const location = res.getHeader('location')?.toString();
      const { status } = ctx;
      // The route sets it again, or sends a page in place of a redirect.
      res.statusCode = 200;
      for (const name of ['location', 'content-type', 'content-length']) res.removeHeader(name);
      return { status, body: ctx.body, type: ctx.type, location, fault: ctx.state.fault };
    },

    /** A request that waits for its user. Undefined if it has ended, or belongs to another browser. */
    async findInteraction(req: IncomingMessage, res: ServerResponse): Promise<WaitingRequest | undefined> {
      try {
        const { uid, prompt, params } = await provider.interactionDetails(req, res);
        const client = await provider.Client.find(String(params.client_id));
        if (client === undefined) return undefined;
        const { id_token_hint: hint } = params;
        const subject = typeof hint === 'string' ? payloadOf(hint).sub : undefined;
        return { uid, prompt, client, params, subject, asked: await askedOf(params) };
      } catch (error) {
        if (error instanceof errors.OIDCProviderError) return undefined;
        throw error;
      }
    },

    /** The proof of a session, in the terms of the protocol. */
    async loginOf({ session, user }: SignedIn) {
      const { accountId = '', loginTs, amr, acr } = await sessionOf(session, user);
      return { accountId, ...(loginTs !== undefined && { ts: loginTs }), ...(amr && { amr }), ...(acr && { acr }) };
    },

    /** What a device gets. It lasts without the session. */
    async deviceAnswer({ asked }: WaitingDevice, { session, user }: SignedIn, grantId: string): Promise<Payload> {
      const { accountId, loginTs: authTime, amr, acr } = await sessionOf(session, user);
      const [resource] = Object.keys(asked.resourceServers ?? {});
      const scope = [...asked.requestParamScopes].join(' ');
      return { accountId, authTime, amr, acr, grantId, scope, sessionUid: session.id, ...(resource && { resource }) };
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
      const isSeparate = account !== undefined && !asked.requestParamOIDCScopes.has('offline_access');
      const given = isSeparate ? undefined : await provider.Grant.find(derive('grant', session.id, client.clientId));
      const { jti } = await giveGrant(to, asked, given, isSeparate);
      if (account !== undefined) await records.keep(jti, account);
      return jti;
    },

    async findDevice(userCode: string): Promise<WaitingDevice | undefined> {
      const code = await provider.DeviceCode.findByUserCode(userCode);
      const client = code?.clientId === undefined ? undefined : await provider.Client.find(code.clientId);
      if (code === undefined || client === undefined || code.accountId || code.error) return undefined;
      return { client, params: code.params ?? {}, asked: await askedOf(code.params ?? {}) };
    },

    /** Where an application may send the browser after a logout. @throws {Error} if the request is not right */
    async findLogOut(sent: {
      idTokenHint?: string | undefined;
      clientId?: string | undefined;
      address?: string | undefined;
    }) {
      const { idTokenHint, address } = sent;
      const clientId = idTokenHint === undefined ? sent.clientId : audienceOf(idTokenHint);
      if (sent.clientId !== undefined && sent.clientId !== clientId) throw new Error('client_id does not match');
      const client = clientId === undefined ? undefined : await provider.Client.find(clientId);
      if (client === undefined) {
        if (clientId !== undefined) throw new Error('unknown client');
        return { client: undefined, address: undefined };
      }
      if (idTokenHint !== undefined) await provider.IdToken.validate(idTokenHint, client);
      if (address !== undefined && !client.postLogoutRedirectUriAllowed(address)) throw new Error('unknown address');
      return { client, address };
    },

    /** Tells an application that a session has ended (OpenID Connect Back-Channel Logout 1.0). @throws {Error} if it does not take it */
    async tellLogOut({ clientId, subject, sid }: { clientId: string; subject: string; sid: string }): Promise<void> {
      const client = await provider.Client.find(clientId);
      if (client?.backchannelLogoutUri) await (client as unknown as BackChannel).backchannelLogout(subject, sid);
    },
  };

  async function askedOf(params: Readonly<Record<string, unknown>>): Promise<Asked> {
    const scopes = new Set(
      String(params.scope ?? '')
        .split(' ')
        .filter(Boolean),
    );
    const known = new Set([...Object.keys(claimsOfScopes), 'offline_access']);
    const resources = [params.resource ?? []].flat().map(String);
    const found = await Promise.all(resources.map(options.findResource));
    return {
      requestParamScopes: scopes,
      requestParamOIDCScopes: new Set([...scopes].filter((scope) => known.has(scope))),
      requestParamClaims: new Set(claimsIn(params.claims)),
      resourceServers: Object.fromEntries(
        found.flatMap((resource, at) => (resource ? [[resources[at], { scopes: new Set(resource.scopes) }]] : [])),
      ),
    };
  }
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

export type WaitingDevice = Pick<WaitingRequest, 'client' | 'params' | 'asked'>;

/** The claims that a request names one by one (OpenID Connect Core 5.5), of those that there are. */
function claimsIn(sent: unknown): string[] {
  const { userinfo, id_token }: Record<string, object | undefined> = JSON.parse(String(sent ?? '{}'));
  return [userinfo, id_token].flatMap((part) => Object.keys(part ?? {})).filter((claim) => scopeOfClaim(claim));
}

/** Read before the token is verified, to find by whose settings it is. */
function audienceOf(token: string): string {
  return String(payloadOf(token).aud);
}

const payloadOf = (token: string): { readonly aud?: unknown; readonly sub?: unknown } =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

type Grant = InstanceType<Provider['Grant']>;

/** False if the grant has all of it already. */
function addAsked(grant: Grant, asked: Asked): boolean {
  const before = JSON.stringify([grant.openid, grant.resources]);
  if (asked.requestParamOIDCScopes.size > 0) grant.addOIDCScope(new Set(asked.requestParamOIDCScopes));
  if (asked.requestParamClaims.size > 0) grant.addOIDCClaims(new Set(asked.requestParamClaims));
  for (const { resource, scope } of scopesOfResources(asked)) grant.addResourceScope(resource, scope);
  return JSON.stringify([grant.openid, grant.resources]) !== before;
}

const refusals = [
  'authorization.error',
  'grant.error',
  'device_authorization.error',
  'revocation.error',
  'introspection.error',
];

/** Part of how the protocol works, and no fault of the application. */
const usual: ReadonlySet<string> = new Set([
  ...['authorization_pending', 'slow_down', 'login_required', 'consent_required', 'interaction_required'],
]);

function createPolicy(
  signedInOf: (ctx: Context) => SignedIn | undefined,
  needsConsent: (ctx: Context) => Promise<boolean>,
) {
  const policy = interactionPolicy.base();
  const [login, consent] = [policy.get('login'), policy.get('consent')];
  login?.checks.add(
    new Check('second_factor', 'A second factor is required', ({ oidc }) => {
      if (oidc.acr === acrValues.two) return false;
      // An application that only asks for it gets to know that it is missing.
      const asks =
        String(oidc.params?.acr_values ?? '')
          .split(' ')
          .includes(acrValues.two) && !oidc.result?.login;
      return Boolean(oidc.client?.secondFactor) || asks;
    }),
  );
  policy.add(
    new Prompt(
      { name: 'access' },
      new Check('not_in_group', 'The user may not use this application', 'access_denied', (ctx) => {
        const user = signedInOf(ctx)?.user;
        return user !== undefined && ctx.oidc.client !== undefined && !mayUse(ctx.oidc.client, user);
      }),
    ),
    1,
  );
  consent?.checks.remove('native_client_prompt');
  consent?.checks.add(
    new Check('consent', 'The user has not let the application in', 'consent_required', needsConsent),
  );
  return policy;
}

/** A client of MCP names a resource, and often no scope of it: it then gets all of them. */
async function addScopes(ctx: Context, findResource: ProviderOptions['findResource']): Promise<void> {
  const { resource, scope = '' } = ctx.query;
  if (ctx.path !== '/oidc/auth' || typeof resource !== 'string' || typeof scope !== 'string') return;
  const { scopes = [] } = (await findResource(resource)) ?? {};
  const names = scope.split(' ').filter(Boolean);
  if (!names.some((name) => scopes.includes(name)))
    ctx.query = { ...ctx.query, scope: [...names, ...scopes].join(' ') };
}

/** Where the library finds and stores what it keeps. */
function adapterOf(model: string, { records, findClient }: ProviderOptions) {
  const { upsert, find, findByUserCode, consume, destroy, revokeByGrantId } = records.of(model);
  const isClient = model === 'Client';

  async function refuse<Result>(step: Promise<Result>): Promise<Result> {
    try {
      return await step;
    } catch (error) {
      if (error instanceof Spent) throw new errors.InvalidGrant('it was used already');
      if (error instanceof TooFast) throw new errors.SlowDown('wait five seconds before the next request');
      throw error;
    }
  }

  return {
    // Neither clients nor sessions are the library's to store.
    upsert: async (id: string, payload: object, seconds: number) =>
      isClient || model === 'Session' ? undefined : refuse(upsert(id, payload as Payload, seconds)),
    async find(id: string) {
      if (!isClient) return refuse(find(id, model === 'DeviceCode' && Provider.ctx?.oidc.route === 'token'));
      const client = await findClient(id);
      return client && metadataOf(client);
    },
    findByUserCode,
    findByUid: async () => undefined,
    consume: (id: string) => refuse(consume(id)),
    destroy,
    revokeByGrantId,
  };
}
