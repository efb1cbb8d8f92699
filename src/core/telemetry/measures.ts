import manifest from '../../../package.json' with { type: 'json' };
import type { TraceSettings } from '../../ground/config/traces.ts';
import type { Log } from '../../ground/faults/log.ts';
import { Misconfiguration } from '../../ground/faults/misconfiguration.ts';
import type { Kinds } from './instruments.ts';

export interface MeasureOptions {
  readonly metrics: boolean;
  readonly kinds: Kinds;
  readonly traces: TraceSettings | undefined;
  readonly version: string;
  readonly log: Log;
}

export type Measures = Awaited<ReturnType<typeof openMeasures>>;

/** OpenTelemetry is an optional peer dependency, so it may be missing. @throws {Misconfiguration} if it is not installed */
async function loadTraces() {
  try {
    return await import('./traces.ts');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    const tested = Object.entries(manifest.devDependencies).filter(([library]) =>
      library.startsWith('@opentelemetry/'),
    );
    throw new Misconfiguration({
      message: 'Traces are on, and OpenTelemetry is not installed.',
      fix: `Run: npm install ${tested.map(([library, version]) => `${library}@${version}`).join(' ')}`,
    });
  }
}

/** Opens metrics and traces. If both are off, their libraries are not loaded, and the stores are not wrapped. */
export async function openMeasures(options: MeasureOptions) {
  const metrics = options.metrics ? (await import('./metrics.ts')).createMetrics(options.kinds) : undefined;
  const traces = options.traces && (await loadTraces()).createTraces(options.traces, options.version, options.log);
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
