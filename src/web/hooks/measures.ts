import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyChildLoggerFactory } from 'fastify/types/logger.js';
import type { AnsweredRequest, RequestMetrics, RequestTraces } from '../../telemetry/requests.ts';
import type { PeerCheck } from '../client-address.ts';
import type { App } from '../types.ts';

/** Where requests are measured. Without both, no hook is added. */
export interface RequestMeasures {
  readonly metrics?: RequestMetrics | undefined;
  readonly traces?: RequestTraces | undefined;
}

/** Counts each request when it ends, and traces it if traces are on. */
export function addMeasures(app: App, { metrics, traces }: RequestMeasures): void {
  if (metrics !== undefined) {
    app.addHook('onResponse', (request, reply, done) => {
      metrics.observeRequest(describe(request, reply));
      done();
    });
    app.addHook('onRequestAbort', async (request) => {
      metrics.observeAbort(describe(request, { statusCode: 0, elapsedTime: 0 }));
    });
  }
  if (traces === undefined) return;
  app.addHook('onRequest', (request, _reply, done) => traces.within(request.raw, done));
  app.addHook('onResponse', (request, reply, done) => {
    traces.end(request.raw, describe(request, reply), 'answered');
    done();
  });
  app.addHook('onRequestAbort', async (request) => {
    traces.end(request.raw, describe(request, { statusCode: 0, elapsedTime: 0 }), 'aborted');
  });
}

/**
 * Starts a request's trace before its first log line, so that each of its lines names the trace.
 * @param isTrustedPeer whether the peer is one of our proxies; only then the request continues the trace that it names
 */
export function createTracedLoggers(traces: RequestTraces, isTrustedPeer: PeerCheck): FastifyChildLoggerFactory {
  return (logger, bindings, options, request) => {
    const { traceparent, tracestate } = request.headers;
    const counts = typeof traceparent === 'string' && isTrustedPeer(request.socket.remoteAddress);
    const parent = counts ? { traceparent, tracestate: tracestate?.toString() } : undefined;
    return logger.child({ ...bindings, trace_id: traces.begin(request, parent) }, options);
  };
}

/** The same for requests that are answered before routing. No hook runs for them. */
export function measureFrameworkError(
  { metrics, traces }: RequestMeasures,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  if (metrics === undefined && traces === undefined) return;
  reply.raw.once('finish', () => {
    metrics?.observeRequest(describe(request, reply));
    traces?.end(request.raw, describe(request, reply), 'answered');
  });
}

function describe(
  request: FastifyRequest,
  { statusCode, elapsedTime }: Pick<FastifyReply, 'statusCode' | 'elapsedTime'>,
): AnsweredRequest {
  return {
    method: request.method,
    // For a 404, Fastify reports a route all the same: the path as sent, or a star.
    route: request.is404 ? undefined : request.routeOptions.url,
    status: statusCode,
    format: request.format,
    milliseconds: elapsedTime,
  };
}
