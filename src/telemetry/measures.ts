import type { OpenAudit } from '../audit/audit.ts';
import type { TraceSettings } from '../config/traces.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { Metrics } from './metrics.ts';
import type { Log, Traces } from './traces.ts';

/** The place where a store keeps its data. */
export type Place = 'database' | 'redis' | 'memory';

/** Measures the parts. If metrics and traces are off, their libraries are not loaded and the parts stay unchanged. */
export interface Measures {
  readonly metrics: Metrics | undefined;
  readonly traces: Traces | undefined;
  /** @param name what the store holds, such as `sessions` */
  watchStore<Store extends object>(place: Place, name: string, store: Store): Store;
  watchPasswords(passwords: Passwords): Passwords;
  watchAudit<Kind extends string>(audit: OpenAudit<Kind>): OpenAudit<Kind>;
  /** Gives the log for parts. While traces are on, its lines hold the trace id of their request. */
  watchLog(log: Log): Log;
  close(): Promise<void>;
}

export interface MeasureOptions {
  readonly metrics: boolean;
  /** Every kind of decision that the audit records. */
  readonly eventKinds: readonly string[];
  readonly traces: TraceSettings | undefined;
  /** The server's version, for its traces. */
  readonly version: string;
  readonly log: Log;
}

export async function openMeasures(options: MeasureOptions): Promise<Measures> {
  const metrics = options.metrics ? (await import('./metrics.ts')).createMetrics(options.eventKinds) : undefined;
  const traces =
    options.traces && (await import('./traces.ts')).createTraces(options.traces, options.version, options.log);
  return {
    metrics,
    traces,
    watchStore(place, name, store) {
      const timed = metrics?.watchStore(place, name, store) ?? store;
      return traces?.watchCalls(name, timed, { 'janua.store': place }) ?? timed;
    },
    watchPasswords(passwords) {
      const counted = metrics?.watchPasswords(passwords) ?? passwords;
      return traces?.watchCalls('passwords', counted) ?? counted;
    },
    watchAudit: (audit) => metrics?.watchAudit(audit) ?? audit,
    watchLog: (log) => traces?.namedIn(log) ?? log,
    async close() {
      await Promise.all([metrics?.close(), traces?.close()]);
    },
  };
}
