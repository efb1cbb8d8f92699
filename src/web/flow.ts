import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Identity } from '../access/identity.ts';
import { addHomeRoute } from '../account/home.routes.ts';
import { addMeRoutes } from '../account/me.routes.ts';
import type { Audit } from '../audit/audit.ts';
import { addForwardRoute } from '../forward-auth/forward.routes.ts';
import { createFindTarget } from '../forward-auth/forwarded-target.ts';
import { createReturns } from '../forward-auth/returns.ts';
import { addVerifyRoute } from '../forward-auth/verify.routes.ts';
import { addLoginRoutes } from '../sign-in/log-in.routes.ts';
import { addLogoutRoutes } from '../sign-in/log-out.routes.ts';
import { addAssets, addFileServing } from './assets.ts';
import type { FindClient, PeerCheck } from './client-address.ts';
import { createCookies } from './cookies.ts';
import { addHealthRoutes, type FindUnavailable } from './health.routes.ts';
import { addBodies } from './hooks/bodies.ts';
import { addRequestIds, decorateCaller } from './hooks/caller.ts';
import { decorateCredentials } from './hooks/credentials.ts';
import { addCrossSiteRules } from './hooks/cross-site.ts';
import { addFormats, decorateFormat } from './hooks/format.ts';
import { addFramingRules } from './hooks/framing.ts';
import { addGuard, createGuard, createHostGuard } from './hooks/guard.ts';
import { addMeasures, type RequestMeasures } from './hooks/measures.ts';
import { answerFrameworkError, createProblems } from './hooks/problems.ts';
import { addSchemas } from './hooks/schemas.ts';
import { addSecurityHeaders, securityHeaders } from './hooks/security-headers.ts';
import { addDocumentation, hideRoutes } from './openapi/openapi.ts';
import { createPages } from './pages.ts';
import type { App } from './types.ts';

export interface FlowOptions {
  readonly identity: Identity;
  /** Keeps what is refused before identity is asked. */
  readonly audit: Pick<Audit, 'record'>;
  readonly findClient: FindClient;
  /** Whether the other end of a connection is one of our proxies, whose word on what was asked for counts, and whose ids. */
  readonly isTrustedPeer: PeerCheck;
  readonly findUnavailable: FindUnavailable;
  readonly measures: RequestMeasures;
  readonly appName: string;
  readonly version: string;
  /** Our own origins. A set, since with a free port it is known only when listening. */
  readonly publicOrigins: ReadonlySet<string>;
  /** Whether browsers come by HTTPS: decides the cookies and HSTS. */
  readonly https: boolean;
  readonly corsOrigins: ReadonlySet<string>;
  /** Of other hosts, whose proxies ask who is signed in. */
  readonly forwardOrigins: ReadonlySet<string>;
  /** Signs the `browser` cookie; 32 bytes or more. Asked for only when it is needed. */
  readonly browserKey: () => Buffer;
  /** Is told at which addresses the app listens, once it does; a Unix socket is a path. */
  readonly onListen?: ((addresses: readonly (AddressInfo | string)[]) => void) | undefined;
  /** Signs the ways back to other hosts. Undefined where there are none. */
  readonly hostKey: () => Buffer | undefined;
  readonly docs: boolean;
  readonly themeFile?: string | undefined;
  /** Where the templates are; ours, unless said otherwise. */
  readonly viewsDirectory?: string;
}

/** Everything of the flow that an app gets, in the order in which it gets it. */
export interface Flow {
  /** What its requests and replies can tell and do. */
  decorate(app: App): void;
  /** What a request passes before its route. */
  addHooks(app: App): void;
  /** @param options whether the login page is at `/` too */
  addRoutes(app: App, options: { atRoot: boolean }): void;
  /** Guards the routes of an app that the flow is a part of. */
  addHostGuard(app: App): void;
  answerFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void;
}

const ownViews = fileURLToPath(new URL('..', import.meta.url));

/** The flow of signing in and out, for any app: our own server's, or one that it is a part of. */
export function createFlow(options: FlowOptions): Flow {
  const { identity, audit, findClient, findUnavailable, appName, https, publicOrigins, corsOrigins } = options;
  const pages = createPages(options.viewsDirectory ?? ownViews, { name: appName });
  const headers = securityHeaders({ https });
  const cookies = createCookies({ secure: https, key: options.browserKey });
  const answerProblem = createProblems({ pages, audit });
  const returns = createReturns({ key: options.hostKey, forwardOrigins: options.forwardOrigins });

  return {
    decorate(app) {
      decorateCaller(app, { findClient, cookies, publicOrigins });
      decorateFormat(app);
      decorateCredentials(app, cookies);
    },

    /** A request passes the hooks in the order in which they stand here, then its route. */
    addHooks(app) {
      addMeasures(app, options.measures);
      addSchemas(app);
      addSecurityHeaders(app, headers);
      addRequestIds(app, options.isTrustedPeer);
      addFormats(app, pages);
      addFramingRules(app);
      addCrossSiteRules(app, { publicOrigins, corsOrigins });
      addGuard(app, createGuard({ identity }));
      addBodies(app);
      app.setErrorHandler(answerProblem);
      addFileServing(app);
      app.addHook('onListen', async () => options.onListen?.(app.addresses()));
    },

    /** Your own routes go to the end, see README. */
    addRoutes(app, { atRoot }) {
      hideRoutes(app);
      if (options.docs)
        addDocumentation(app, { name: appName, version: options.version, sessionCookie: cookies.sessionName });
      app.register(async (site: App) => {
        addLoginRoutes(site, { identity, cookies, atRoot });
        addLogoutRoutes(site, { identity });
        addHomeRoute(site);
        addMeRoutes(site);
        addVerifyRoute(site, { identity, findTarget: createFindTarget(options), returns, publicOrigins });
        addForwardRoute(site, { identity, returns });
        addHealthRoutes(site, findUnavailable);
        addAssets(site, options.themeFile);
      });
    },

    addHostGuard(app) {
      addGuard(app, createHostGuard({ identity, publicOrigins, corsOrigins, headers, answerProblem }));
    },

    answerFrameworkError: answerFrameworkError(pages, headers, options.measures),
  };
}
