import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyChildLoggerFactory } from 'fastify/types/logger.js';
import type { Measures } from '../../core/telemetry/measures.ts';
import type { AnsweredRequest } from '../../core/telemetry/requests.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';

export function addMeasures(app: App, measures: FlowOptions['measures']): void {
  const { metrics, traces } = measures;
  if (metrics === undefined && traces === undefined) return;
  if (traces !== undefined) app.addHook('onRequest', (request, _reply, done) => traces.within(request.raw, done));
  app.addHook('onResponse', (request, reply, done) => {
    measureAnswer(measures, request, reply);
    done();
  });
  app.addHook('onRequestAbort', async (request) => {
    const aborted = describe(request, 0, 0);
    metrics?.observeAbort(aborted);
    traces?.end(request.raw, aborted, 'aborted');
  });
}

/** Counts an answered request, and ends its trace. No hook runs for a request that is answered before routing. */
export function measureAnswer(
  { metrics, traces }: FlowOptions['measures'],
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const answered = describe(request, reply.statusCode, reply.elapsedTime);
  metrics?.observeRequest(answered);
  traces?.end(request.raw, answered, 'answered');
}

/**
 * Starts a request's trace before its first log line, so that each of its lines names the trace.
 * @param isTrustedPeer whether the peer is one of our proxies; only then the request continues the trace that it names
 */
export function createTracedLoggers(
  traces: NonNullable<Measures['traces']>,
  isTrustedPeer: FlowOptions['isTrustedPeer'],
): FastifyChildLoggerFactory {
  return (logger, bindings, options, request) => {
    const { traceparent, tracestate } = request.headers;
    const counts = typeof traceparent === 'string' && isTrustedPeer(request.socket.remoteAddress);
    const parent = counts ? { traceparent, tracestate: tracestate?.toString() } : undefined;
    return logger.child({ ...bindings, trace_id: traces.begin(request, parent) }, options);
  };
}

function describe(request: FastifyRequest, status: number, milliseconds: number): AnsweredRequest {
  return {
    method: request.method,
    // For a 404, Fastify reports a route all the same: the path as sent, or a star.
    route: request.is404 ? undefined : request.routeOptions.url,
    status,
    format: request.format,
    milliseconds,
  };
}
