import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RequiredProof } from '../../access/fresh-proof.ts';
import { Misconfiguration } from '../../faults/misconfiguration.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { StepUp } from '../host-app.ts';
import type { App } from '../types.ts';
import { type CrossSiteOptions, requireSameSite } from './cross-site.ts';
import type { AnswerProblem } from './problems.ts';

type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/**
 * Guards the routes with `signedIn` in their `config`. The guard runs before the `onRequest` hooks of the routes. The routes may
 * already exist, because Fastify collects hooks last. `signedIn` is read on each request, so the app may still set it after
 * adding the guard.
 */
export function addGuard(app: App, guard: Guard): void {
  app.addHook('onRequest', (request, reply, done) => {
    // Already set: our own guard ran first. The app's hooks run for our routes too.
    if (!request.routeOptions.config.signedIn || request.signedIn !== undefined) return done();
    judge(request, reply, done);
  });
  // Again once the body is there: a client could hold it back, and act after its session has ended (VM-16).
  app.addHook('preValidation', (request, reply, done) => {
    if (request.signedIn === undefined || request.body === undefined) return done();
    judge(request, reply, done);
  });

  function judge(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
    guard(request, reply).then(() => {
      // A guard may answer refused requests itself.
      if (!reply.sent) done();
    }, done);
  }
}

export function createGuard(parts: FlowOptions['parts']): Guard {
  return async (request) => {
    const { signedIn: asked } = request.routeOptions.config;
    const stepUp = typeof asked === 'object' ? readStepUp(asked) : undefined;
    const signedIn = await parts().access.requireSignedIn(request.presented, request);
    if (stepUp !== undefined) await parts().requireStepUp(signedIn, stepUp, request);
    request.signedIn = signedIn;
  };
}

const unitSeconds = { s: 1, m: 60, h: 3600 };

/** @throws {Misconfiguration} for what it cannot read: the route then fails, and is not open */
function readStepUp({ within, with: what, ...others }: StepUp): RequiredProof {
  const [, count, unit] = /^(\d{1,6})([smh])$/.exec(within ?? '') ?? [];
  const isReadable = within === undefined || unit !== undefined;
  if (!isReadable || !(what === undefined || what === 'second-factor') || Object.keys(others).length > 0)
    throw new Misconfiguration("`signedIn` of a route must be true, or { within: '10m', with: 'second-factor' }.");
  return {
    maxAgeSeconds: within === undefined ? undefined : Number(count) * unitSeconds[unit as keyof typeof unitSeconds],
    secondFactor: what !== undefined,
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
