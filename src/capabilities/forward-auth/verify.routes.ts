import type { FastifyReply } from 'fastify';
import {
  type Access,
  invalidToken,
  machineTokenOf,
  notAuthenticated,
  type Presented,
  type SignedIn,
} from '../../core/access/access.ts';
import { type Answer, loginMessages, Refusal } from '../../core/access/refusal.ts';
import type { Audit } from '../../core/audit/audit.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { JoinedPorts } from '../../core/ports.ts';
import { machines } from '../../core/users/scopes.ts';
import { ambiguousCredential } from '../../web/hooks/credentials.ts';
import { loginPath, otherLoginPath } from '../../web/login-page.ts';
import { header, page, redirect, settingCookies } from '../../web/openapi/responses.ts';
import type { App, Request } from '../../web/types.ts';
import { type BasicParts, createBasic, hostTokenNeeded, readBasic, tooManyHostTokens } from './basic.ts';
import { createFindTarget, type ForwardedTarget, type TargetOptions } from './forwarded-target.ts';
import { createFurtherHeaders, type ForwardHeader, type FurtherHeaderParts } from './further-headers.ts';
import type { HostCredentials } from './host-credentials.ts';
import { identityHeaders, noIdentity } from './identity-headers.ts';
import { type RefusedRequest, refusedView } from './refused-page.ts';
import { type Returns, takeTicket } from './returns.ts';
import type { createSaysRule, FindBarrier } from './rules.ts';

export interface ForwardAuthParts extends BasicParts, FurtherHeaderParts {
  readonly access: Access;
  readonly audit: Audit<'permission-refused'>;
  readonly hosts: HostCredentials | undefined;
  readonly ports: Pick<JoinedPorts, 'findMachine' | 'subjectOf'>;
}

export interface ForwardAuthOptions extends TargetOptions {
  readonly findBarrier: FindBarrier;
  readonly saysRule: ReturnType<typeof createSaysRule>;
  readonly returns: Returns;
  readonly furtherHeaders: readonly ForwardHeader[];
}

const groupMissing: Answer = {
  name: 'group-missing',
  status: 403,
  detail: 'None of your groups may open this',
};

const letThrough = (further: readonly ForwardHeader[]) => ({
  description: 'A user is signed in',
  type: 'null',
  headers: {
    ...header('Remote-User', 'Username'),
    ...header('Remote-Name', 'First and last name, UTF-8'),
    ...header('Remote-Groups', 'The groups of the user, separated by commas'),
    ...header('Remote-Email', 'The username if it is an address that is known to be of the user, otherwise empty'),
    ...Object.assign({}, ...further.map(({ name }) => header(name, 'As `FORWARD_AUTH_HEADERS` says'))),
  },
});

/** The request that is audited. Its `caller` is computed when it is read. */
type AuditedRequest = { readonly caller: Caller };

/** Most origins that the log names, each once. An attacker who can choose the host of a request could invent any number. */
const namedOrigins = 100;

/** Checks the credentials of the host that the proxy protects. Browsers get these credentials in exchange for tickets. */
function createTickets(parts: () => ForwardAuthParts, returns: Returns) {
  /**
   * Picks the credentials that apply to the target. The cookie of another host does not apply. On a host that is not listed, no credential
   * applies.
   */
  function presentedFor({ kind, origin }: ForwardedTarget, request: Request, takesBasic = false): Presented {
    const { accessToken, cookie } = request.presented;
    if (kind === 'unlisted') return {};
    if (kind === 'own') return { accessToken, cookie };
    const basic = takesBasic ? readBasic(request.headers.authorization) : undefined;
    if (basic !== undefined) return { hostToken: { token: basic.password, host: origin } };
    const value = returns.readCredential(origin, request.headers.cookie);
    return { accessToken, derived: value === undefined ? undefined : parts().hosts?.claimOf(value, origin) };
  }

  /** Exchanges a ticket for the credential of the host. Undefined if the ticket is not for this browser, or its session has ended. */
  async function findCredential(ticket: string, origin: string, request: Request): Promise<string | undefined> {
    const destination = returns.readReturn(origin, request.headers.cookie);
    const { access, hosts } = parts();
    if (destination === undefined || hosts === undefined) return undefined;
    const derived = hosts.claimOfTicket(ticket, destination);
    if (derived === undefined) return undefined;
    const signedIn = await access.findSignedIn({ derived });
    return signedIn && hosts.create(origin, signedIn.session);
  }

  async function redeem(ticket: string, uri: string, target: ForwardedTarget, request: Request, reply: FastifyReply) {
    const { origin } = target;
    const credential = await findCredential(ticket, origin, request);
    if (credential !== undefined)
      return reply.header('set-cookie', returns.setCredential(origin, credential)).redirect(origin + uri, 303);
    // A ticket that is no longer valid does no harm if the browser is already signed in on this host.
    const signedIn = await parts().access.findSignedIn(presentedFor(target, request));
    if (signedIn !== undefined) return reply.redirect(origin + uri, 303);
    // No redirect to the login: a browser that keeps no cookies would loop forever. With `no-referrer`, the link on the page does not send
    // on the ticket in this address.
    reply.code(400).header('referrer-policy', 'no-referrer');
    return reply.send({ again: origin + uri, request_id: request.id } satisfies RefusedRequest);
  }

  return { presentedFor, redeem };
}

/** Redirects browsers to the login, and from there back to the host. */
function createWaysToLogin(returns: Returns, ownOrigin: () => string) {
  const named = new Set<string>();

  /** Logs once for each origin why the login cannot lead back to it. */
  function warnOnce({ kind, origin }: ForwardedTarget, { log }: Request): void {
    if (named.has(origin) || named.size >= namedOrigins) return;
    named.add(origin);
    const unlisted = 'a user cannot be signed in on an origin that FORWARD_AUTH_ORIGINS does not list';
    const noUri = 'the proxy sends no X-Forwarded-Uri, so the login cannot lead back to the requested page';
    log.warn({ event: 'forward_auth', origin }, kind === 'unlisted' ? unlisted : noUri);
  }

  function sendToLogin(target: ForwardedTarget, request: Request, reply: FastifyReply): FastifyReply {
    const { kind, origin, sentUri, uri } = target;
    if (kind === 'own') {
      const { cookie, accessToken } = request.presented;
      if (cookie !== undefined && accessToken === undefined) reply.clearSessionCookie();
      // The redirect contains the origin, because some proxies resolve a path against our internal address.
      return reply.redirect(origin + loginPath(loginMessages.notSignedIn, uri), 303);
    }
    if (kind === 'unlisted' || sentUri === undefined) {
      warnOnce(target, request);
      return reply.redirect(ownOrigin() + loginPath(loginMessages.notSignedIn), 303);
    }
    const login = uri === undefined ? undefined : returns.begin(origin, uri, request.headers.cookie);
    // A link cannot repeat this request, or would be too long, so the browser starts at the first page of the host.
    if (login === undefined) return reply.redirect(`${origin}/`, 303);
    return reply.header('set-cookie', login.cookie).redirect(ownOrigin() + login.path, 303);
  }

  /** Finds the address at which a user without the needed group logs in with another account, and the cookie for the way back. */
  function findOtherLogin({ kind, origin, uri }: ForwardedTarget, { headers }: Request) {
    if (kind === 'own') return { another: ownOrigin() + otherLoginPath(uri) };
    const begin = (path: string) => returns.begin(origin, path, headers.cookie);
    const way = begin(uri ?? '/') ?? begin('/');
    return { another: ownOrigin() + otherLoginPath(way?.path), cookie: way?.cookie };
  }

  return { sendToLogin, findOtherLogin };
}

/**
 * Tells a proxy which user makes a request to another application: for nginx's `auth_request`, Caddy's `forward_auth` and Traefik's
 * `ForwardAuth`. A browser without a session is redirected to the login page and back. A program gets 401.
 */
export function addVerify(app: App, parts: () => ForwardAuthParts, options: ForwardAuthOptions): void {
  const { returns, publicOrigins, findBarrier, saysRule } = options;
  const findTarget = createFindTarget(options);
  /** The first of our origins. If the system chooses the port, the set is empty until the app listens. */
  const ownOrigin = () => [...publicOrigins][0] ?? '';
  const basic = createBasic(parts, saysRule, returns);
  const further = createFurtherHeaders(options.furtherHeaders, parts);
  const { presentedFor, redeem } = createTickets(parts, returns);
  const { sendToLogin, findOtherLogin } = createWaysToLogin(returns, ownOrigin);
  /** Describes the request for the audit: the cookies that count for the target, its host, and why a credential is ignored. */
  function describeAsked(
    { kind, origin }: ForwardedTarget,
    bringsTicket: boolean,
    { hostToken }: Presented,
    request: Request,
  ) {
    const { headers } = request;
    // A cookie decides beside Basic, and its own reason is recorded.
    const isBasicIgnored =
      kind === 'listed' &&
      hostToken === undefined &&
      readBasic(headers.authorization) !== undefined &&
      returns.countCredentials(origin, headers.cookie) === 'none';
    return {
      get caller() {
        const { caller } = request;
        if (kind !== 'listed' || caller.trace === undefined) return caller;
        const cookie = returns.countCredentials(origin, headers.cookie);
        return { ...caller, trace: { ...caller.trace, cookie, cookieOf: origin } };
      },
      ...(hostToken && { ignored: { about: origin } }),
      ...(isBasicIgnored && { ignored: { reason: 'basic-not-taken', about: origin } }),
      ...(kind === 'unlisted' && { ignored: { reason: 'origin-not-listed', about: origin } }),
      ...(bringsTicket && { ignored: { reason: 'ticket-in-address', about: origin } }),
    };
  }

  async function isBarred({ origin, sentUri }: ForwardedTarget, { user, session }: SignedIn, asked: AuditedRequest) {
    const barrier = findBarrier(origin || ownOrigin(), sentUri, user.groups);
    if (barrier === undefined) return false;
    const about = `${barrier.origin}${barrier.path}=${barrier.groups.join('|')}`;
    const event = { kind: 'permission-refused', reason: 'not-in-group', about, userId: user.id } as const;
    await parts().audit.recordIfPossible({ ...event, sessionId: session.id, caller: asked.caller });
    return true;
  }

  /** Tells whether the request has a token that a program got for the resource with the address of this host. */
  async function isFromMachine({ kind, origin, sentUri }: ForwardedTarget, presented: Presented): Promise<boolean> {
    const token = kind === 'listed' ? machineTokenOf(presented) : undefined;
    if (token === undefined || !saysRule(machines, origin, sentUri)) return false;
    return (await parts().ports.findMachine(token, origin)) !== undefined;
  }

  /** @param passes true for `/auth/verify`, where a signed-in user gets 200. `/auth/refused` redirects such a user back to the host */
  async function answer(request: Request, reply: FastifyReply, passes: boolean): Promise<FastifyReply> {
    const target = findTarget(request);
    // The browser gets this response from another host. Janua cannot promise that this host and its subdomains use HTTPS only.
    if (target.kind !== 'own') reply.removeHeader('strict-transport-security');
    // A request with a ticket in its address never gets 200: the application could leak the ticket.
    const { uri, ticket } = takeTicket(target.sentUri ?? '');
    const bringsTicket = target.kind === 'listed' && ticket !== undefined;
    if (bringsTicket && target.uri !== undefined && request.format === 'html')
      return redeem(ticket, uri, target, request, reply);
    const takesBasic = basic.isTaken(target, request);
    const presented = bringsTicket ? {} : presentedFor(target, request, takesBasic);
    if (passes && (await isFromMachine(target, presented)))
      return reply
        .headers({ ...noIdentity, ...further.empty })
        .removeHeader('content-type')
        .send();
    const { access } = parts();
    const asked = describeAsked(target, bringsTicket, presented, request);
    const signedIn = await access.requireSignedIn(presented, asked).catch(async (error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      // nginx asks twice, at `/auth/refused` for the answer to the same request.
      if (presented.hostToken !== undefined) throw passes ? await basic.refuse(request) : new Refusal(hostTokenNeeded);
      if (request.format === 'json')
        throw takesBasic && presented.accessToken === undefined ? new Refusal(hostTokenNeeded) : error;
      return undefined;
    });
    if (signedIn === undefined) return sendToLogin(target, request, reply);
    if (await isBarred(target, signedIn, asked)) {
      if (request.format === 'json') throw new Refusal(groupMissing);
      const { another, cookie } = findOtherLogin(target, request);
      if (cookie !== undefined) reply.header('set-cookie', cookie);
      const { host } = new URL(target.origin || ownOrigin());
      const username = signedIn.user.username;
      return reply.code(403).send({ host, username, another, request_id: request.id } satisfies RefusedRequest);
    }
    if (passes) {
      const more = await further.find(target.origin || ownOrigin(), signedIn, request.log);
      return reply
        .headers({ ...identityHeaders(signedIn), ...more })
        .removeHeader('content-type')
        .send();
    }
    if (request.format === 'json') throw new Refusal(notAuthenticated);
    return reply.redirect(target.origin + (isUnprotectedPage(target) ? '/' : (target.uri ?? '/')), 303);
  }

  for (const url of ['/auth/verify', '/auth/refused']) {
    const passes = url === '/auth/verify';
    app.get(
      url,
      {
        // Answers in a hook. An app that turns each upgrade request into a WebSocket calls the hooks, but not the handler.
        preHandler: async (request, reply) => answer(request, reply, passes),
        config: {
          view: refusedView,
          shownByOtherHost: true,
          pagesWhereOpened: true,
          takesCredentials: passes,
          refusals: [
            notAuthenticated,
            invalidToken,
            ambiguousCredential,
            groupMissing,
            hostTokenNeeded,
            ...(passes ? [tooManyHostTokens] : []),
          ],
        },
        schema: {
          summary: passes ? 'The user of a request, for a proxy' : 'The response to a user whom a proxy has refused',
          description: passes
            ? 'Answers for the request that a trusted proxy describes by `X-Forwarded-Proto`, `X-Forwarded-Host`, `X-Forwarded-Uri` and `X-Forwarded-Method`.'
            : 'As `/auth/verify`, for a proxy that passes the response on to the client. The status is never 200, which a client would take for a response of the application.',
          tags: ['Forward authentication'],
          response: {
            ...(passes && { 200: letThrough(options.furtherHeaders) }),
            303: settingCookies(redirect('Browsers: to the login page, or back from it')),
            400: page('The browser did not keep the cookie'),
          },
        },
      },
      // `preHandler` has already answered.
      async () => {},
    );
  }
}

/** Tells whether the target is a page of Janua that no proxy protects. A redirect back to it would loop. */
const isUnprotectedPage = ({ kind, uri }: ForwardedTarget) =>
  kind === 'own' && uri !== undefined && /^\/auth\//.test(uri);
