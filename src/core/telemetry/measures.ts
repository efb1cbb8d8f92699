import type { TraceSettings } from '../../ground/config/traces.ts';
import type { Log } from '../../ground/faults/log.ts';
import type { Kinds } from './instruments.ts';

export interface MeasureOptions {
  readonly metrics: boolean;
  readonly kinds: Kinds;
  readonly traces: TraceSettings | undefined;
  readonly version: string;
  readonly log: Log;
}

export type Measures = Awaited<ReturnType<typeof openMeasures>>;

/** Opens metrics and traces. If both are off, their libraries are not loaded, and the stores are not wrapped. */
export async function openMeasures(options: MeasureOptions) {
  const metrics = options.metrics ? (await import('./metrics.ts')).createMetrics(options.kinds) : undefined;
  const traces =
    options.traces && (await import('./traces.ts')).createTraces(options.traces, options.version, options.log);
  return {
    metrics,
    traces,
    /** @param place of the store's data @param name of the data, such as `sessions` */
    watchStore<Store extends object>(place: 'database' | 'redis', name: string, store: Store): Store {
      const timed = metrics?.watchStore(place, name, store) ?? store;
      return traces?.watchCalls(name, timed, { 'janua.store': place }) ?? timed;
    },
    async close(): Promise<void> {
      await Promise.all([metrics?.close(), traces?.close()]);
    },
  };
}
