import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../access/access.ts';
import { requestIdHeader } from '../request-id.ts';
import type { App } from '../types.ts';
import { type CrossSiteOptions, requireSameSite } from './cross-site.ts';
import { formatHeader } from './format.ts';
import type { AnswerProblem } from './problems.ts';
import type { SecurityHeaders } from './security-headers.ts';

/** Refuses who is not signed in, and finds out who is. */
type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/**
 * Guards the routes that need someone signed in (`config: { signedIn: true }`), before what they do themselves in `onRequest`. They may
 * be there already: the framework gathers hooks when all has been added. The word is read when somebody asks: whoever adds a
 * route, or a hook for routes, may say it until then.
 */
export function addGuard(app: App, guard: Guard): void {
  app.addHook('onRequest', (request, reply, done) => {
    // Who has been found out already was so by our own guard: the app's hooks come to our routes too.
    if (!request.routeOptions.config.signedIn || request.signedIn !== undefined) return done();
    guard(request, reply).then(() => {
      // What it refuses it may have answered itself.
      if (!reply.sent) done();
    }, done);
  });
}

/** For our own routes, where hooks and the error handler do the rest. @param access throws while the stores are not ready */
export function createGuard(access: () => Access): Guard {
  return async (request) => {
    request.signedIn = await access().requireSignedIn(request.presented, request);
  };
}

export interface HostGuardOptions extends CrossSiteOptions {
  readonly access: () => Access;
  readonly headers: SecurityHeaders;
  readonly answerProblem: AnswerProblem;
}

/**
 * For the routes of an app that the flow is a part of. None of our hooks runs there, and its error handler knows nothing of
 * refusals: what the flow promises of every route that needs someone signed in is here in one.
 */
export function createHostGuard(options: HostGuardOptions): Guard {
  const guard = createGuard(options.access);
  return async (request, reply) => {
    // An answer to one person; the route may say otherwise later.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    try {
      requireSameSite(request, options);
      await guard(request, reply);
      return undefined;
    } catch (error) {
      reply.headers({ ...options.headers, [requestIdHeader]: request.id, vary: formatHeader });
      return options.answerProblem(error as Error, request, reply);
    }
  };
}
