import { Refusal } from '../../core/access/refusal.ts';
import { addAction } from '../../web/action.ts';
import { ambiguousCredential, signedInOf } from '../../web/hooks/credentials.ts';
import { accountPath, homePath, pathWithNext, safeNext } from '../../web/next.ts';
import { header, json, object, page, redirect, settingCookies, text } from '../../web/openapi/responses.ts';
import type { App, Reply, Request } from '../../web/types.ts';
import type { Shown } from '../../web/view.ts';
import type { UpstreamParts } from './composition.ts';
import { methodsPath } from './linking.ts';
import {
  linkedElsewhere,
  noSuchUpstream,
  notConfirmed,
  notLinked,
  signInOver,
  upstreamRefused,
  upstreamUnreachable,
} from './refusals.ts';
import { rethrowWithNext } from './refuse.ts';
import type { Flow } from './round-trips.ts';
import { leadView, linkView } from './views.ts';

export const leadsAway = settingCookies(
  json(
    'The address to open in the same browser',
    object('The address', { url: text('https://accounts.google.com/o/oauth2/v2/auth?client_id=…') }),
  ),
);

/**
 * Shows a page that leads to the provider, because the `form-action` of the Content-Security-Policy limits forms and their redirects to our
 * own pages.
 */
export async function leadAway(parts: UpstreamParts, flow: Omit<Flow, 'state'>, request: Request, reply: Reply) {
  const { url, name, cookie } = await parts.upstreamSignIn.begin(flow, request);
  reply.header('set-cookie', cookie);
  if (request.format === 'html') reply.header('refresh', `0; url=${url}`);
  return { url, name, signedIn: flow.sessionId !== undefined };
}

const params = { id: { description: 'The id of the provider', examples: ['google'] } };
const next = { maxLength: 65_536, description: 'The path to go to afterwards' };
const idOf = (request: Request) => (request.params as { readonly id: string }).id;

export function addUpstream(app: App, parts: () => UpstreamParts): void {
  addSignIn(app, parts);
  addConfirmation(app, parts);
  addCallback(app, parts);
}

function addSignIn(app: App, parts: () => UpstreamParts): void {
  addAction(app, ['/auth/upstream/:id', '/api/upstream/:id'], {
    method: 'POST',
    summary: 'Sign in with another provider',
    description: 'Gives the address of the provider, and a cookie, without which the browser cannot come back.',
    tag: 'Sign in',
    params,
    fields: {
      remember: { description: '`on` to stay signed in for longer, and after the browser closes', examples: ['on'] },
      next,
    },
    config: {
      openedAt: '/auth/login',
      view: leadView,
      refusals: [noSuchUpstream, upstreamUnreachable],
    },
    answer: leadsAway,
    browser: 'A page that leads to the provider',
    handle: (request, reply, { remember, next }) =>
      leadAway(
        parts(),
        { upstream: idOf(request), remembered: remember === 'on', next: safeNext(next) },
        request,
        reply,
      ),
  });
}

function addConfirmation(app: App, parts: () => UpstreamParts): void {
  addAction(app, ['/auth/confirm/upstream/:id', '/api/confirm/upstream/:id'], {
    method: 'POST',
    summary: 'Confirm your identity with another provider',
    description:
      'Gives the address of the provider, where the user signs in anew. If the account has a second factor, the browser comes back to `/auth/confirm`, which asks for it.',
    tag: 'Sign in',
    params,
    fields: { next },
    config: {
      signedIn: true,
      openedAt: '/auth/confirm',
      view: leadView,
      refusals: [noSuchUpstream, upstreamUnreachable],
    },
    answer: leadsAway,
    browser: 'A page that leads to the provider',
    handle: (request, reply, { next }) =>
      leadAway(
        parts(),
        {
          upstream: idOf(request),
          sessionId: signedInOf(request).session.id,
          confirms: true,
          next: safeNext(next),
        },
        request,
        reply,
      ),
  });
}

function addCallback(app: App, parts: () => UpstreamParts): void {
  app.get(
    '/auth/upstream/:id/callback',
    {
      config: {
        view: linkView,
        pageOnly: true,
        refusals: [
          noSuchUpstream,
          signInOver,
          upstreamRefused,
          upstreamUnreachable,
          notLinked,
          linkedElsewhere,
          ambiguousCredential,
          notConfirmed(),
        ],
      },
      schema: {
        summary: 'Back from another provider',
        description: 'Where a provider sends the browser. The address is registered there.',
        tags: ['Pages'],
        params: { type: 'object', properties: params },
        querystring: {
          type: 'object',
          properties: {
            code: { description: 'What the provider gives, once', examples: ['SplxlOBeZQQYbYS6WxSbIA'] },
            state: { description: 'What Janua has sent with the browser', examples: ['af0ifjsldkj'] },
          },
        },
        response: {
          200: { ...page('The page that links the account'), headers: header('Set-Cookie', 'The cookies') },
          303: settingCookies(redirect('To the home page, or to where the login was to lead')),
        },
      },
    },
    async (request, reply): Shown<typeof linkView> => {
      // The callback works once, and a HEAD request must not use it up.
      if (request.method === 'HEAD') throw new Refusal(signInOver);
      const { upstreamSignIn, linking, confirming } = parts();
      const [, ...query] = request.url.split('?');
      const { flow, profile, provider } = await upstreamSignIn.takeBack(idOf(request), query.join('?'), request);
      reply.header('set-cookie', upstreamSignIn.cookie.removal);
      if (flow.sessionId === undefined) {
        const admitted = await upstreamSignIn
          .logIn(flow, profile, request)
          .catch((error) => rethrowWithNext(error, flow.next));
        reply.answerLogin(admitted);
        reply.header('set-cookie', upstreamSignIn.loggedOut.removal);
        return reply.redirect(flow.next ?? homePath, 303);
      }
      const signedIn = await parts().access.findSignedIn(request.presented, request);
      if (flow.confirms) {
        const { confirmed, cookie } = await confirming.confirm(flow, profile, signedIn, request);
        // This header follows the one that removes the cookie. Of two cookies with one name, the browser keeps the last.
        reply.header('set-cookie', cookie);
        if (confirmed === undefined) return reply.redirect(pathWithNext('/auth/confirm', flow.next), 303);
        reply.answerLogin(confirmed);
        return reply.redirect(flow.next ?? accountPath, 303);
      }
      const offer = await linking.offer(flow, profile, signedIn, request);
      if (offer === undefined) return reply.redirect(`${methodsPath}?state=known`, 303);
      return {
        link: offer,
        name: profile.name,
        provider: provider.name,
        username: signedIn?.user.username,
        path: methodsPath,
      };
    },
  );
}
