import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { addAssets } from './assets.ts';
import { readBareStyle } from './bare-style.ts';
import type { FlowOptions } from './flow-options.ts';
import { addHealthRoutes } from './health.routes.ts';
import { addRulesOfActs } from './hooks/ahead.ts';
import { addBodies } from './hooks/bodies.ts';
import { decorateCaller } from './hooks/caller.ts';
import { decorateCredentials } from './hooks/credentials.ts';
import { addCrossSiteRules } from './hooks/cross-site.ts';
import { addFormats, decorateFormat, formatHeader, formatOf } from './hooks/format.ts';
import { addFramingRules } from './hooks/framing.ts';
import { addGuard, createGuard, createHostGuard } from './hooks/guard.ts';
import { createFindLanguage, decorateLanguage } from './hooks/language.ts';
import { addMeasures } from './hooks/measures.ts';
import { addOwnHost } from './hooks/own-host.ts';
import { addOwnPeers } from './hooks/own-peers.ts';
import { type AnswerProblem, createProblems } from './hooks/problems.ts';
import { addRequestIds, requestIdHeader } from './hooks/request-id.ts';
import { addRequesters } from './hooks/requesters.ts';
import { addSchemas } from './hooks/schemas.ts';
import { addSecurityHeaders, securityHeaders } from './hooks/security-headers.ts';
import { createLoginPage, type LoginPage } from './login-page.ts';
import { addDocumentation, hideRoutes } from './openapi/openapi.ts';
import { createRender } from './render.ts';
import type { App } from './types.ts';

/**
 * Makes the hooks, pages and routes of signing in and out, for our own server or for another app. The caller calls the functions in this
 * order.
 */
export function createFlow(options: FlowOptions) {
  const bare = readBareStyle(options.themeFile);
  const render = createRender(options, bare);
  const findLanguage = createFindLanguage(options);
  const headers = securityHeaders(options);
  const loginPage = createLoginPage(options);
  const guard = createGuard(options.parts);
  const answerProblem = createProblems(options, render, loginPage);

  const answerOutside: AnswerProblem = (error, request, reply) => {
    reply.headers({ ...headers, [requestIdHeader]: request.id, vary: formatHeader });
    return answerProblem(error, request, reply);
  };

  return {
    decorate(app: App): void {
      decorateCaller(app, options);
      decorateFormat(app);
      decorateLanguage(app, findLanguage);
      decorateCredentials(app, options);
    },

    addHooks(app: App): void {
      addRequesters(app, options);
      addMeasures(app, options.measures);
      addSchemas(app);
      addSecurityHeaders(app, headers, bare);
      addRequestIds(app, options.isTrustedPeer);
      addFormats(app, render);
      addFramingRules(app);
      addOwnPeers(app, options.isOwnPeer);
      addRulesOfActs(app);
      addOwnHost(app, options.isOwnHost);
      addCrossSiteRules(app, options);
      addGuard(app, guard);
      addBodies(app);
      app.setErrorHandler(answerProblem);
      app.addHook('onListen', async () => options.onListen?.(app.addresses()));
    },

    addRoutes(app: App, addSite: (app: App, loginPage: LoginPage) => Promise<void>): void {
      hideRoutes(app);
      if (options.docs) addDocumentation(app, options);
      app.register(async (site: App) => {
        await addSite(site, loginPage);
        addHealthRoutes(site, options.findUnavailable);
        addAssets(site, options.themeFile);
      });
    },

    addHostGuard(app: App): void {
      addGuard(app, createHostGuard(guard, options, answerOutside));
    },

    answerFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
      // This is Fastify's plain request, without our decorations.
      Object.assign(request, { format: formatOf(request), language: findLanguage(request) });
      answerOutside(error, request, reply);
    },
  };
}
