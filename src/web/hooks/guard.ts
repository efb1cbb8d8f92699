import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';
import { type CrossSiteOptions, requireSameSite } from './cross-site.ts';
import type { AnswerProblem } from './problems.ts';

/** Sets `request.signedIn`, or refuses the request. */
type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/**
 * Guards the routes with `config: { signedIn: true }`. The guard runs before the `onRequest` hooks of the routes. The routes may
 * already exist, because Fastify collects hooks last. `signedIn` is read on each request, so the app may still set it after
 * adding the guard.
 */
export function addGuard(app: App, guard: Guard): void {
  app.addHook('onRequest', (request, reply, done) => {
    // Already set: our own guard ran first. The app's hooks run for our routes too.
    if (!request.routeOptions.config.signedIn || request.signedIn !== undefined) return done();
    guard(request, reply).then(() => {
      // A guard may answer refused requests itself.
      if (!reply.sent) done();
    }, done);
  });
}

/** For our own routes. Our hooks and error handler do the rest. */
export function createGuard(parts: FlowOptions['parts']): Guard {
  return async (request) => {
    request.signedIn = await parts().access.requireSignedIn(request.presented, request);
  };
}

/**
 * For the routes of an app that contains the flow. Our hooks do not run there, and the app's error handler does not know
 * refusals. This guard therefore does everything that the flow promises for `signedIn` routes.
 */
export function createHostGuard(guard: Guard, origins: CrossSiteOptions, answerProblem: AnswerProblem): Guard {
  return async (request, reply) => {
    // The response depends on the user. The route may override the header later.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    try {
      requireSameSite(request, origins);
      await guard(request, reply);
      return undefined;
    } catch (error) {
      return answerProblem(error as Error, request, reply);
    }
  };
}
