import { createServer as createHttpServer, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyHttpOptions,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  LogController,
} from 'fastify';
import { longestHost } from './ground/text/networks.ts';
import { addSite, type SiteOptions } from './site.ts';
import { addFavicon } from './web/assets.ts';
import { createFlow } from './web/flow.ts';
import { bodyLimit } from './web/hooks/bodies.ts';
import { createTracedLoggers, measureAnswer } from './web/hooks/measures.ts';
import { addMethodRules } from './web/hooks/methods.ts';
import { addDocsRedirect } from './web/openapi/openapi.ts';
import { addSecurityContact } from './web/security-contact.routes.ts';
import type { App } from './web/types.ts';

export interface ServerOptions extends SiteOptions {
  readonly log: FastifyBaseLogger;
  /** Whether to log each request. The result may change while the server runs. */
  readonly logsRequests: () => boolean;
  readonly timeouts?: typeof usualTimeouts;
}

/** Milliseconds that clients may take. The server cuts off slower clients, which could otherwise hold connections forever. */
export const usualTimeouts = {
  /** For a whole request. */
  requestTimeout: 30_000,
  /** Without a byte in either direction, for example when a client does not read the response. */
  connectionTimeout: 60_000,
  http: {
    /** For the head of a request, from the start of the connection. */
    headersTimeout: 10_000,
    /** Between two checks of `requestTimeout` and `headersTimeout`. A client may exceed a limit by this much. */
    connectionsCheckingInterval: 2_000,
  },
};

/** The most requests of a connection that may wait for responses. Browsers and proxies have one: they send the next after its response. */
export const mostUnanswered = 4;

const unanswered = new WeakMap<Socket, number>();

/**
 * Closes connections with too many unanswered requests. Node parses all requests that have arrived, without waiting for the responses: 64
 * KB may be 2,500 requests, which stay in memory while the client reads nothing. The constructor of the response counts them, because Node
 * answers some requests, such as those without `Host`, without the event `request`.
 */
class CountedResponse extends ServerResponse {
  constructor(...given: ConstructorParameters<typeof ServerResponse>) {
    super(...given);
    const { socket } = given[0];
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    this.once('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    if (count > mostUnanswered) socket.destroy();
  }
}

/** Makes the server as Fastify does, but with `CountedResponse`. */
const createLimitedServer: FastifyServerFactory = (answer, options) => {
  const { http, keepAliveTimeout, requestTimeout, connectionTimeout } = options as FastifyHttpOptions<Server>;
  const how = { ...http, keepAliveTimeout, requestTimeout, ServerResponse: CountedResponse };
  const server = createHttpServer(how, (request, response) => {
    if (!request.socket.destroyed) answer(request, response);
  });
  server.setTimeout(connectionTimeout);
  return server;
};

/** The host of an absolute-form target, with its port (RFC 9112 3.2.2). */
const authority = /^https?:\/\/([^/?#]*)/i;

/** Logs each request once: when it is answered or aborted. At `debug`, it logs the arrival too. */
class RequestLog extends LogController {
  override incomingRequest(request: FastifyRequest): void {
    if (!this.isLogDisabled(request)) request.log.debug({ req: request }, 'incoming request');
  }

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    if (this.isLogDisabled(request)) return;
    const line = { req: request, res: reply, responseTime: reply.elapsedTime };
    if (error) reply.log.error({ ...line, err: error }, 'request errored');
    else reply.log.info(line, 'request completed');
  }
}

export function createServer(options: ServerOptions): App {
  const flow = createFlow(options);
  const { log, logsRequests, measures, isTrustedPeer } = options;
  const requestLog = new RequestLog({ disableRequestLogging: () => !logsRequests() });
  const app: App = Fastify({
    loggerInstance: log,
    logController: requestLog,
    ...(measures.traces && { childLoggerFactory: createTracedLoggers(measures.traces, isTrustedPeer) }),
    bodyLimit,
    serverFactory: createLimitedServer,
    // The router parses the host of an absolute-form target. A very long host would block the process, so the target becomes `http://`,
    // which the router refuses.
    rewriteUrl: ({ url = '' }) => ((authority.exec(url)?.[1] ?? '').length > longestHost ? 'http://' : url),
    ...(options.timeouts ?? usualTimeouts),
    // While closing, the server still answers requests on open connections as usual.
    return503OnClosing: false,
    frameworkErrors(error, request, reply) {
      reply.raw.once('finish', () => {
        requestLog.requestCompleted(undefined, request, reply);
        measureAnswer(measures, request, reply);
      });
      flow.answerFrameworkError(error, request, reply);
    },
  });

  app.addHook('onRequestAbort', async (request) => {
    if (logsRequests()) request.log.info({ req: request }, 'request aborted');
  });
  flow.decorate(app);
  flow.addHooks(app);
  addMethodRules(app);
  flow.addRoutes(app, async (site, loginPage) => {
    await addSite(site, { ...options, loginPage, showsLoginAtRoot: true });
    addFavicon(site, options.themeFile);
    addSecurityContact(site, options.settings.SECURITY_CONTACT);
    if (options.docs) addDocsRedirect(site);
  });
  return app;
}
