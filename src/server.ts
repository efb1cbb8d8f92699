import type { JsonSchemaToTsProvider } from '@fastify/type-provider-json-schema-to-ts';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { addSite, type SiteOptions } from './site.ts';
import { addFavicon } from './web/assets.ts';
import { createFlow } from './web/flow.ts';
import { bodyLimit } from './web/hooks/bodies.ts';
import { createTracedLoggers } from './web/hooks/measures.ts';
import { addMethodRules } from './web/hooks/methods.ts';
import { addDocsRedirect } from './web/openapi/openapi.ts';
import type { App } from './web/types.ts';

export interface ServerOptions extends SiteOptions {
  readonly log: FastifyBaseLogger;
  /** Whether there is to be a line for each request and each answer: it may change while we run. */
  readonly logsRequests: () => boolean;
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

/** The HTTP face of the server: the flow, and what only an app of its own decides. */
export function createServer(options: ServerOptions): App {
  const flow = createFlow(options);
  const { measures, isTrustedPeer } = options;
  const app: App = Fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: () => !options.logsRequests() }),
    ...(measures.traces && { childLoggerFactory: createTracedLoggers(measures.traces, isTrustedPeer) }),
    bodyLimit,
    ...timeoutsOf(options.patience ?? usualPatience),
    // While closing, what still arrives on an open connection is answered like any other.
    return503OnClosing: false,
    frameworkErrors: flow.answerFrameworkError,
  }).withTypeProvider<JsonSchemaToTsProvider>();

  flow.decorate(app);
  flow.addHooks(app);
  addMethodRules(app);
  flow.addRoutes(app, async (site) => {
    await addSite(site, options.parts, { ...options, atRoot: true });
    addFavicon(site, options.themeFile);
    if (options.docs) addDocsRedirect(site);
  });
  return app;
}
