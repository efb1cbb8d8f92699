import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  machineTokenOf,
  notAuthenticated,
  type Presented,
  reasonOfRefusal,
  type SignedIn,
} from '../../core/access/access.ts';
import type { RequiredProof } from '../../core/access/fresh-proof.ts';
import { Refusal } from '../../core/access/refusal.ts';
import { findRefusal } from '../../core/access/scope.ts';
import { Misconfiguration } from '../../ground/faults/misconfiguration.ts';
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
    const { signedIn, scope } = request.routeOptions.config;
    if ((!signedIn && scope === undefined) || request.signedIn !== undefined) return done();
    judge(request, reply, done);
  });
  // Checks again after the body has arrived: a client could hold the body back, and act after its session has ended (VM-16).
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
  async function refuse(
    { user, session }: SignedIn,
    { answer, reason }: NonNullable<ReturnType<typeof findRefusal>>,
    { caller }: FastifyRequest,
  ): Promise<never> {
    const event = {
      kind: 'permission-refused',
      reason,
      about: answer.scope,
      userId: user.id,
      sessionId: session.id,
    } as const;
    await parts().audit.recordIfPossible({ ...event, caller });
    throw new Refusal(answer);
  }

  const findMachine = async (presented: Presented): Promise<SignedIn | undefined> => {
    const token = machineTokenOf(presented);
    return token === undefined ? undefined : parts().ports.findMachine(token);
  };

  return async (request) => {
    const { signedIn: asked, beginsSignIn, machines, ...wants } = request.routeOptions.config;
    if (
      beginsSignIn &&
      request.format === 'html' &&
      reasonOfRefusal(request.presented, request.caller) === 'no-credential'
    )
      throw new Refusal(notAuthenticated);
    const stepUp = typeof asked === 'object' ? readStepUp(asked) : undefined;
    const machine = machines && request.format === 'json' ? await findMachine(request.presented) : undefined;
    const signedIn = machine ?? (await parts().access.requireSignedIn(request.presented, request));
    const lack = findRefusal(signedIn, wants, request.presented);
    if (lack !== undefined) await refuse(signedIn, lack, request);
    if (stepUp !== undefined) await parts().requireStepUp(signedIn, stepUp, request);
    request.signedIn = signedIn;
  };
}

const unitSeconds = { s: 1, m: 60, h: 3600 };

/** @throws {Misconfiguration} for an invalid `signedIn`, so that the route fails and is not open */
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
 * Guards the `signedIn` routes of another team's app that has mounted Janua. Janua's hooks do not run for them, and the error handler of the
 * app does not know refusals. Therefore this guard also sets `cache-control`, checks the origin, and answers refusals.
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
