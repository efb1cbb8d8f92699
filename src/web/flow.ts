import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../access/access.ts';
import { addAssets, addFileServing } from './assets.ts';
import type { FindClient, PeerCheck } from './client-address.ts';
import { sessionCookieName } from './cookies.ts';
import { createFailedLogins } from './failed-login.ts';
import { addHealthRoutes, type FindUnavailable } from './health.routes.ts';
import { addBodies } from './hooks/bodies.ts';
import { addRequestIds, decorateCaller } from './hooks/caller.ts';
import { decorateCredentials } from './hooks/credentials.ts';
import { addCrossSiteRules } from './hooks/cross-site.ts';
import { addFormats, decorateFormat } from './hooks/format.ts';
import { addFramingRules } from './hooks/framing.ts';
import { addGuard, createGuard, createHostGuard } from './hooks/guard.ts';
import { addMeasures, type RequestMeasures } from './hooks/measures.ts';
import { answerFrameworkError, createProblems, type RefusalAudit } from './hooks/problems.ts';
import { addSchemas } from './hooks/schemas.ts';
import { addSecurityHeaders, securityHeaders } from './hooks/security-headers.ts';
import { createShowLogin } from './login-page.ts';
import { addDocumentation, hideRoutes } from './openapi/openapi.ts';
import { createPages } from './pages.ts';
import type { App } from './types.ts';

export interface FlowOptions {
  /** Throws {Unavailable} until the stores are ready. */
  readonly parts: () => { readonly access: Access; readonly audit: RefusalAudit };
  readonly findClient: FindClient;
  /** Whether the peer is one of our proxies. Janua trusts the forwarded addresses and request ids of those only. */
  readonly isTrustedPeer: PeerCheck;
  readonly findUnavailable: FindUnavailable;
  readonly measures: RequestMeasures;
  readonly appName: string;
  readonly version: string;
  /** Our own origins. A set that fills later, because a free port is known only when the app listens. */
  readonly publicOrigins: ReadonlySet<string>;
  /** Whether browsers use HTTPS. Decides the cookies and HSTS. */
  readonly https: boolean;
  readonly corsOrigins: ReadonlySet<string>;
  /** The host of the application that a path leads to, unless it is Janua itself. */
  readonly nameApplication: (path: string) => string | undefined;
  /** Called with the addresses once the app listens. A Unix socket is a path. */
  readonly onListen?: ((addresses: readonly (AddressInfo | string)[]) => void) | undefined;
  readonly docs: boolean;
  readonly themeFile?: string | undefined;
}

/** What the flow adds to an app, in the order of the calls. */
export interface Flow {
  /** Decorates requests and replies. */
  decorate(app: App): void;
  /** Adds the hooks that run before a route. */
  addHooks(app: App): void;
  /** @param addSite adds the routes of the capabilities */
  addRoutes(app: App, addSite: (app: App) => Promise<void>): void;
  /** Guards the routes of an app that contains the flow. */
  addHostGuard(app: App): void;
  answerFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void;
}

/** Template names start here: `account/me` is `src/account/me.eta`. */
const templates = fileURLToPath(new URL('..', import.meta.url));

/** The flow of signing in and out, for our own server or as a part of another app. */
export function createFlow(options: FlowOptions): Flow {
  const { parts, findUnavailable, appName, https, publicOrigins, corsOrigins } = options;
  const access = () => parts().access;
  const pages = createPages(templates, { name: appName });
  const headers = securityHeaders({ https });
  const presentation = {
    pages,
    failedLogins: createFailedLogins({ https }),
    showLogin: createShowLogin(options.nameApplication),
  };
  const answerProblem = createProblems(presentation, () => parts().audit);

  return {
    decorate(app) {
      decorateCaller(app, options);
      decorateFormat(app);
      decorateCredentials(app, { https });
    },

    /** A request passes the hooks in this order, then its route. */
    addHooks(app) {
      addMeasures(app, options.measures);
      addSchemas(app);
      addSecurityHeaders(app, headers);
      addRequestIds(app, options.isTrustedPeer);
      addFormats(app, pages);
      addFramingRules(app);
      addCrossSiteRules(app, { publicOrigins, corsOrigins });
      addGuard(app, createGuard(access));
      addBodies(app);
      app.setErrorHandler(answerProblem);
      addFileServing(app);
      app.addHook('onListen', async () => options.onListen?.(app.addresses()));
    },

    addRoutes(app, addSite) {
      hideRoutes(app);
      if (options.docs)
        addDocumentation(app, { name: appName, version: options.version, sessionCookie: sessionCookieName(https) });
      app.register(async (site: App) => {
        await addSite(site);
        addHealthRoutes(site, findUnavailable);
        addAssets(site, options.themeFile);
      });
    },

    addHostGuard(app) {
      addGuard(app, createHostGuard({ access, publicOrigins, corsOrigins, headers, answerProblem }));
    },

    answerFrameworkError: answerFrameworkError(presentation, headers, options.measures),
  };
}
