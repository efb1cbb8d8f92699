import type { FastifyReply } from 'fastify';
import { type Access, invalidToken, notAuthenticated, type Presented } from '../access/access.ts';
import { Refusal } from '../access/refusal.ts';
import { printable } from '../text/printable.ts';
import type { User } from '../users/user.ts';
import { ambiguousCredential } from '../web/hooks/credentials.ts';
import { loginPath } from '../web/login-page.ts';
import { page, redirect, settingCookies } from '../web/openapi/responses.ts';
import type { App, Request } from '../web/types.ts';
import type { createFindTarget, ForwardedTarget } from './forwarded-target.ts';
import type { HostCredentials } from './host-credentials.ts';
import { type Returns, takeTicket } from './returns.ts';

export interface VerifyParts {
  readonly access: Access;
  /** Undefined where no other host is listed. */
  readonly hosts: HostCredentials | undefined;
}

export interface VerifyPlace {
  readonly findTarget: ReturnType<typeof createFindTarget>;
  readonly returns: Returns;
  readonly publicOrigins: ReadonlySet<string>;
}

const identityHeader = (description: string) => ({ type: 'string', description });

const letThrough = {
  description: 'Somebody is signed in',
  type: 'null',
  headers: {
    'Remote-User': identityHeader('Username'),
    'Remote-Name': identityHeader('First and last name, UTF-8'),
    'Remote-Email': identityHeader('The username, where it is an address; else empty'),
  },
} as const;

/** Most origins that the log names once each: whoever may choose the host of a request could think of any number. */
const namedOrigins = 100;

/**
 * Tells a proxy who is asking for something of another application: for nginx's `auth_request`, Caddy's `forward_auth` and
 * Traefik's `ForwardAuth`. People who are not signed in are sent to the login and come back, programs get 401.
 */
export function addVerify(
  app: App,
  parts: () => VerifyParts,
  { findTarget, returns, publicOrigins }: VerifyPlace,
): void {
  const named = new Set<string>();

  /** The credentials that count for the target: no other host's cookie, and nothing at all on a host that is not listed. */
  function presentedFor({ kind, origin }: ForwardedTarget, request: Request): Presented {
    const { accessToken, cookie } = request.presented;
    if (kind === 'unlisted') return {};
    if (kind === 'own') return { accessToken, cookie };
    const value = returns.readCredential(origin, request.headers.cookie);
    return { accessToken, derived: value === undefined ? undefined : parts().hosts?.claimOf(value, origin) };
  }

  /** Gives the host its credential for a ticket, and leads to where the browser was. */
  async function takeIn(ticket: string, uri: string, target: ForwardedTarget, request: Request, reply: FastifyReply) {
    const { origin } = target;
    const way = returns.readReturn(origin, request.headers.cookie);
    const { access, hosts } = parts();
    const claim = way && hosts?.claimOfTicket(ticket, way);
    const signedIn = claim && (await access.findSignedIn({ derived: claim }));
    if (signedIn && hosts) reply.header('set-cookie', returns.cookie(origin, hosts.create(origin, signedIn.session)));
    else if (!(await access.findSignedIn(presentedFor(target, request)))) {
      // Not sent on the way again: a browser that keeps no cookies would go round for ever. Nor does the page's link tell the ticket.
      reply.code(400).header('referrer-policy', 'no-referrer');
      return reply.send({ again: origin + uri, request_id: request.id });
    }
    return reply.redirect(origin + uri, 303);
  }

  function sendToLogin(target: ForwardedTarget, request: Request, reply: FastifyReply): FastifyReply {
    const [own = ''] = publicOrigins;
    const { kind, origin, saidUri, uri } = target;
    if (kind === 'own') {
      const { cookie, accessToken } = request.presented;
      if (cookie !== undefined && accessToken === undefined) reply.clearSessionCookie();
      // With the origin: some proxies take a bare path for one on our inner address.
      return reply.redirect(origin + loginPath(2, uri), 303);
    }
    if (kind === 'unlisted' || saidUri === undefined) {
      if (!named.has(origin) && named.size < namedOrigins) {
        named.add(origin);
        request.log.warn(
          { event: 'forward_auth', origin },
          kind === 'unlisted'
            ? 'somebody is to be signed in on an origin that FORWARD_AUTH_ORIGINS does not list'
            : 'somebody is to be signed in, and the proxy does not say in X-Forwarded-Uri where they were',
        );
      }
      return reply.redirect(own + loginPath(2), 303);
    }
    const way = uri === undefined ? undefined : returns.begin(origin, uri, request.headers.cookie);
    // What cannot be asked for again by a link begins anew at the first page.
    if (way === undefined) return reply.redirect(`${origin}/`, 303);
    return reply.header('set-cookie', way.cookie).redirect(own + way.path, 303);
  }

  /** @param passes whether who is signed in is let through. Else that is not answered either: somebody has signed in meanwhile. */
  async function answer(request: Request, reply: FastifyReply, passes: boolean): Promise<FastifyReply> {
    const target = findTarget(request);
    // Shown by another host, for which it is not ours to promise that it, and all below it, is served over HTTPS alone.
    if (target.kind !== 'own') reply.removeHeader('strict-transport-security');
    // In any address: never let through with a ticket in it, which the application could give away.
    const { uri, ticket } = takeTicket(target.saidUri ?? '');
    const bringsTicket = target.kind === 'listed' && ticket !== undefined;
    if (bringsTicket && target.uri !== undefined && request.format === 'html')
      return takeIn(ticket, uri, target, request, reply);
    const presented = bringsTicket ? {} : presentedFor(target, request);
    try {
      const { user } = await parts().access.requireSignedIn(presented, request);
      if (passes) return reply.headers(identityHeaders(user)).removeHeader('content-type').send();
      if (request.format === 'json') throw new Refusal(notAuthenticated);
      return reply.redirect(target.origin + (isAboutUs(target) ? '/' : (target.uri ?? '/')), 303);
    } catch (error) {
      if (!(error instanceof Refusal) || request.format === 'json') throw error;
      return sendToLogin(target, request, reply);
    }
  }

  for (const [url, passes] of [
    ['/auth/verify', true],
    ['/auth/refused', false],
  ] as const) {
    app.get(
      url,
      {
        // And not the handler, which is not called where an app makes WebSockets of all that asks to be one.
        preHandler: async (request, reply) => answer(request, reply, passes),
        config: {
          // Shown under another host's address, which has none of our styles.
          view: 'forward-auth/ticket',
          pagesWhereOpened: true,
          refusals: [notAuthenticated, invalidToken, ambiguousCredential],
          problems: [500, 503],
        },
        schema: {
          summary: passes ? 'Who is asking, for a proxy' : 'What to answer whom a proxy has refused',
          description: passes
            ? 'Answers for the request that a trusted proxy describes by `X-Forwarded-Proto`, `X-Forwarded-Host`, `X-Forwarded-Uri` and `X-Forwarded-Method`.'
            : 'As `/auth/verify`, for a proxy that passes the answer on to the client. It is never 200, which would pass for the answer of the application.',
          tags: ['Forward authentication'],
          security: passes ? [{ session: [] }, { password: [] }] : [],
          response: {
            ...(passes && { 200: letThrough }),
            303: settingCookies(redirect('Whoever opens a page: to the login page, or back from it')),
            400: page('The browser keeps no cookies'),
          },
        },
      },
      async () => {},
    );
  }
}

/** Of a page of ours that a proxy would not ask about: led back to it, somebody would go round. */
const isAboutUs = ({ kind, uri }: ForwardedTarget) => kind === 'own' && uri !== undefined && /^\/auth\//.test(uri);

/** All three always, so that nothing that a client sent by these names is left standing. */
function identityHeaders({ username, firstName, lastName }: User): Record<string, string> {
  const name = unmistakable(username);
  return {
    'remote-user': headerText(name),
    'remote-name': headerText(printable(`${firstName} ${lastName}`).trim()),
    'remote-email': headerText(name === username && /^[^@\s]+@[^@\s]+$/.test(username) ? username : ''),
  };
}

/**
 * An application knows people by this: no two names may become one in a header. What cannot be seen there, and blanks at the ends,
 * which HTTP drops, are given by their number, as is the character that says so.
 */
const unmistakable = (name: string) =>
  name.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]|^\s+|\s+$/gu, (odd) =>
    Array.from(odd, (character) => `\uFFFD{${character.codePointAt(0)?.toString(16)}}`).join(''),
  );

/** As UTF-8, of which Node sends one character for each byte. */
const headerText = (text: string) => Buffer.from(text).toString('latin1');
