import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, resourceAttributesEnvDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TraceSettings } from '../../ground/config/traces.ts';
import { inTime } from '../../ground/faults/in-time.ts';
import type { Log } from '../../ground/faults/log.ts';
import type { AnsweredRequest } from './requests.ts';
import { watchCalls } from './watch-calls.ts';

/** How long sending the last spans may take when the server ends, in milliseconds. */
const closeMilliseconds = 2000;

const propagator = new W3CTraceContextPropagator();

/** Sends spans of requests to an OpenTelemetry collector. No span contains a user name, an address, a path or a client's text. */
export function createTraces(settings: TraceSettings, version: string, log: Log) {
  const exporter = createExporter(log);
  const processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis: settings.scheduleDelay });
  const root = new TraceIdRatioBasedSampler(settings.ratio);
  const provider = new TracerProvider({
    resource: detectResources({ detectors: [resourceAttributesEnvDetector] }).merge(
      resourceFromAttributes({ 'service.name': settings.serviceName, 'service.version': version }),
    ),
    sampler: settings.followsParent ? new ParentBasedSampler({ root }) : root,
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('janua', version);
  // OpenTelemetry's global context manager is not used, because it belongs to the application that may have mounted Janua.
  const current = new AsyncLocalStorage<Context | undefined>();
  const requests = new WeakMap<object, Context>();

  return {
    /** Begins the trace of a request, and returns its id. @param parent the headers of a trusted sender. Undefined: a new trace begins */
    begin(
      request: object,
      parent: { readonly traceparent: string; readonly tracestate: string | undefined } | undefined,
    ): string {
      const before =
        parent === undefined ? ROOT_CONTEXT : propagator.extract(ROOT_CONTEXT, parent, defaultTextMapGetter);
      const span = tracer.startSpan('request', { kind: SpanKind.SERVER }, before);
      requests.set(request, trace.setSpan(before, span));
      return span.spanContext().traceId;
    },

    /** Runs `work`. Calls inside it belong to the trace of the request. */
    within(request: object, work: () => void): void {
      current.run(requests.get(request), work);
    },

    end(request: object, answer: AnsweredRequest, state: 'answered' | 'aborted'): void {
      const context = requests.get(request);
      const span = context && trace.getSpan(context);
      if (span === undefined) return;
      requests.delete(request);
      describe(span, answer, state);
      span.end();
    },

    /** Wraps a part, so that each call becomes a span of the current request. @param attributes are added to each span */
    watchCalls<Part extends object>(name: string, part: Part, attributes: Attributes = {}): Part {
      return watchCalls(part, (method, call) => {
        const parent = current.getStore();
        // Work outside a request, such as cleaning, would start a new trace each time.
        if (parent === undefined) return call();
        const span = tracer.startSpan(`${name}.${method}`, { kind: SpanKind.INTERNAL, attributes }, parent);
        const result = current.run(trace.setSpan(parent, span), call);
        if (result instanceof Promise) return endWith(span, result);
        span.end();
        return result;
      });
    },

    namedIn(log: Log): Log {
      const write = (level: keyof Log) => (details: object, message: string) => {
        const parent = current.getStore();
        const traceId = parent && trace.getSpanContext(parent)?.traceId;
        log[level](traceId === undefined ? details : { ...details, trace_id: traceId }, message);
      };
      return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
    },

    async close(): Promise<void> {
      await inTime(provider.shutdown(), closeMilliseconds).catch(() => {});
    },
  };
}

/**
 * Describes a request, without its path, query and addresses, because they may identify a user.
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */
function describe(span: Span, { method, route, status, format }: AnsweredRequest, state: 'answered' | 'aborted'): void {
  span.updateName(route === undefined ? method : `${method} ${route}`);
  span.setAttributes({ 'http.request.method': method, 'janua.format': format });
  if (route !== undefined) span.setAttribute('http.route', route);
  if (state === 'aborted') span.setAttribute('error.type', 'aborted');
  else span.setAttribute('http.response.status_code', status);
  if (state === 'answered' && status >= 500) span.setAttribute('error.type', String(status));
  if (state === 'aborted' || status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Ends a span when its promise settles. Only the kind of an error is traced, because its message might quote a client's text. */
async function endWith(span: Span, result: Promise<unknown>): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    span.setAttribute('error.type', error instanceof Error ? error.name : 'unknown');
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Creates the exporter. It logs when exports start to fail and when they work again, but not each failure. */
function createExporter(log: Log): SpanExporter {
  const exporter = new OTLPTraceExporter();
  let failing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS;
        if (failed && !failing) {
          log.warn({ event: 'traces_not_sent', reason: result.error?.message }, 'traces cannot be sent');
        } else if (!failed && failing) log.info({ event: 'traces_sent' }, 'traces are sent again');
        failing = failed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}
