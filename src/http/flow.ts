import { fileURLToPath } from 'node:url';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Audit } from '../audit/audit.ts';
import type { Identity } from '../identity/identity.ts';
import type { FindClient } from './client-address.ts';
import { createCookies } from './cookies.ts';
import { addBodies } from './hooks/bodies.ts';
import { addRequestIds, decorateCaller } from './hooks/caller.ts';
import { addGuard, decorateCredentials } from './hooks/credentials.ts';
import { addCrossSiteRules } from './hooks/cross-site.ts';
import { addFormats, decorateFormat } from './hooks/format.ts';
import { addFramingRules } from './hooks/framing.ts';
import { addProblems, answerFrameworkError } from './hooks/problems.ts';
import { addSchemas } from './hooks/schemas.ts';
import { addSecurityHeaders, securityHeaders } from './hooks/security-headers.ts';
import { addDocumentation } from './openapi/openapi.ts';
import { createPages } from './pages.ts';
import { addAssets, addFileServing } from './routes/assets.ts';
import { addHealthRoutes, type FindUnavailable } from './routes/health.ts';
import { addHomeRoute } from './routes/home.ts';
import { addLoginRoutes } from './routes/login.ts';
import { addLogoutRoutes } from './routes/logout.ts';
import { addMeRoutes } from './routes/me.ts';
import type { App } from './types.ts';

export interface FlowOptions {
  readonly identity: Identity;
  /** Keeps what is refused before identity is asked. */
  readonly audit: Pick<Audit, 'record'>;
  readonly findClient: FindClient;
  readonly findUnavailable: FindUnavailable;
  readonly appName: string;
  readonly version: string;
  /** Our own origins. A set, since with a free port it is known only when listening. */
  readonly publicOrigins: ReadonlySet<string>;
  /** Whether browsers come by HTTPS: decides the cookies and HSTS. */
  readonly https: boolean;
  readonly corsOrigins: ReadonlySet<string>;
  /** Signs the `browser` cookie; 32 bytes or more. Asked for only when it is needed. */
  readonly browserKey: () => Buffer;
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
  addRoutes(app: App, options: { atRoot: boolean }): void;
  answerFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void;
}

const ownViews = fileURLToPath(new URL('./views', import.meta.url));

/** The flow of signing in and out, for any app: our own server's, or one that it is a part of. */
export function createFlow(options: FlowOptions): Flow {
  const { identity, audit, findClient, findUnavailable, appName, https, publicOrigins, corsOrigins } = options;
  const pages = createPages(options.viewsDirectory ?? ownViews, { name: appName });
  const headers = securityHeaders({ https });
  const cookies = createCookies({ secure: https, key: options.browserKey });

  return {
    decorate(app) {
      decorateCaller(app, { findClient, cookies, publicOrigins });
      decorateFormat(app);
      decorateCredentials(app, cookies);
    },

    /** A request passes the hooks in the order in which they stand here, then its route. */
    addHooks(app) {
      addSchemas(app);
      addSecurityHeaders(app, headers);
      addRequestIds(app);
      addFormats(app, pages);
      addFramingRules(app);
      addCrossSiteRules(app, { publicOrigins, corsOrigins });
      addGuard(app, async (request) => {
        request.signedInUser = await identity.requireUser(request.presented, request.caller);
      });
      addBodies(app);
      addProblems(app, { pages, audit });
      addFileServing(app);
    },

    /** Your own routes go to the end, see README. */
    addRoutes(app, { atRoot }) {
      if (options.docs)
        addDocumentation(app, { name: appName, version: options.version, sessionCookie: cookies.sessionName });
      app.register(async (site: App) => {
        addLoginRoutes(site, { identity, cookies, atRoot });
        addLogoutRoutes(site, { identity });
        addHomeRoute(site);
        addMeRoutes(site);
        addHealthRoutes(site, findUnavailable);
        addAssets(site, options.themeFile);
      });
    },

    answerFrameworkError: answerFrameworkError(pages, headers),
  };
}
