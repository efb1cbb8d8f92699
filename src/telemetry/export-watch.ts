import { ExportResultCode } from '@opentelemetry/core';
import type { SpanExporter } from '@opentelemetry/sdk-trace';

interface Log {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/** Wraps an exporter. It logs when exports start to fail and when they work again, not each failure. */
export function watchExports(exporter: SpanExporter, log: Log): SpanExporter {
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
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
