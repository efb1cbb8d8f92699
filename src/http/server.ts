import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { JsonSchemaToTsProvider } from '@fastify/type-provider-json-schema-to-ts';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import type { Audit } from '../audit/audit.ts';
import type { Identity } from '../identity/identity.ts';
import type { FindClient } from './client-address.ts';
import { createCookies } from './cookies.ts';
import { addBodies, bodyLimit } from './hooks/bodies.ts';
import { addCaller } from './hooks/caller.ts';
import { addCredentials } from './hooks/credentials.ts';
import { addCrossSiteRules } from './hooks/cross-site.ts';
import { addFormats } from './hooks/format.ts';
import { addFramingRules } from './hooks/framing.ts';
import { addMethodRules } from './hooks/methods.ts';
import { addProblems, answerFrameworkError } from './hooks/problems.ts';
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

export interface ServerOptions {
  readonly identity: Identity;
  /** Keeps what is refused before identity is asked. */
  readonly audit: Pick<Audit, 'record'>;
  readonly findClient: FindClient;
  readonly findUnavailable: FindUnavailable;
  readonly log: FastifyBaseLogger;
  /** A line for each request and each answer. */
  readonly logRequests: boolean;
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
  readonly patience?: Patience;
}

/** How long clients may take, in milliseconds: whoever is slower is cut off, so that connections cannot be held for ever. */
export interface Patience {
  /** For the head of a request, counted from the connection's start. */
  readonly head: number;
  /** For a whole request. */
  readonly request: number;
  /** Without a byte in either direction, as of one who does not read the answer. */
  readonly silence: number;
  /** Between two looks at who is late: so much longer it may take. */
  readonly interval: number;
}

const usualPatience: Patience = { head: 10_000, request: 30_000, silence: 60_000, interval: 2_000 };

const timeoutsOf = ({ head, request, silence, interval }: Patience) => ({
  requestTimeout: request,
  connectionTimeout: silence,
  http: { headersTimeout: head, connectionsCheckingInterval: interval },
});

const ownViews = fileURLToPath(new URL('./views', import.meta.url));

/**
 * The HTTP face of the server. A request passes the hooks in the order in which they stand here, then its route.
 * Your own routes go to the end, see README.
 */
export function createServer(options: ServerOptions): App {
  const { identity, audit, findClient, findUnavailable, log, appName, https, publicOrigins, corsOrigins } = options;
  const pages = createPages(options.viewsDirectory ?? ownViews, { name: appName });
  const headers = securityHeaders({ https });
  const cookies = createCookies({ secure: https, key: options.browserKey });

  const app: App = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: !options.logRequests }),
    genReqId: () => randomUUID(),
    bodyLimit,
    ...timeoutsOf(options.patience ?? usualPatience),
    // While closing, what still arrives on an open connection is answered like any other.
    return503OnClosing: false,
    // Never adapt what was sent: a number where a text belongs is a mistake, not a text.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    frameworkErrors: answerFrameworkError(pages, headers),
  }).withTypeProvider<JsonSchemaToTsProvider>();

  addSecurityHeaders(app, headers);
  addCaller(app, { findClient, cookies, publicOrigins });
  addFormats(app, pages);
  addFramingRules(app);
  addCrossSiteRules(app, { publicOrigins, corsOrigins });
  addMethodRules(app);
  addCredentials(app, { identity, cookies });
  addBodies(app);
  addProblems(app, { pages, audit });
  addFileServing(app);
  if (options.docs)
    addDocumentation(app, { name: appName, version: options.version, sessionCookie: cookies.sessionName });

  app.register(async (site: App) => {
    addLoginRoutes(site, { identity, cookies });
    addLogoutRoutes(site, { identity });
    addHomeRoute(site);
    addMeRoutes(site);
    addHealthRoutes(site, findUnavailable);
    addAssets(site, options.themeFile);
  });
  return app;
}
