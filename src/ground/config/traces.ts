import { Misconfiguration } from '../faults/misconfiguration.ts';

export type TraceSettings = NonNullable<ReturnType<typeof findTraceSettings>>;

/** In milliseconds. A longer timer would fire at once. */
const longestTimer = 2 ** 31 - 1;

/** The names of samplers. Each may follow `parentbased_`. */
const samplers = ['always_on', 'always_off', 'traceidratio'];

/**
 * Reads the settings for traces. A collector's endpoint or `OTEL_TRACES_EXPORTER` turns traces on; otherwise the result is undefined.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 * @throws {Misconfiguration} for values that this server does not support. Otherwise it would silently send no traces
 */
export function findTraceSettings(environment: NodeJS.ProcessEnv = process.env) {
  const read = (name: string) => environment[name]?.trim() || undefined;
  if (read('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return undefined;
  const endpoint = read('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? read('OTEL_EXPORTER_OTLP_ENDPOINT');
  const exporter = read('OTEL_TRACES_EXPORTER') ?? (endpoint === undefined ? 'none' : 'otlp');
  if (exporter === 'none') return undefined;

  const protocol = read('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ?? read('OTEL_EXPORTER_OTLP_PROTOCOL') ?? 'http/protobuf';
  const sampler = read('OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on';
  const rootSampler = sampler.replace(/^parentbased_/, '');
  const ratio = Number(read('OTEL_TRACES_SAMPLER_ARG') ?? 1);
  const scheduleDelay = Number(read('OTEL_BSP_SCHEDULE_DELAY') ?? 5000);
  const faults: string[] = [];
  if (exporter !== 'otlp') faults.push('OTEL_TRACES_EXPORTER must be otlp or none.');
  if (protocol !== 'http/protobuf')
    faults.push('OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, which collectors take at port 4318.');
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
    faults.push('OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https address, such as http://127.0.0.1:4318.');
  if (!samplers.includes(rootSampler))
    faults.push(`OTEL_TRACES_SAMPLER must be one of ${samplers.join(', ')}, or one of these after parentbased_.`);
  if (!(ratio >= 0 && ratio <= 1)) faults.push('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1.');
  if (!(scheduleDelay > 0 && scheduleDelay <= longestTimer))
    faults.push('OTEL_BSP_SCHEDULE_DELAY must be a number of milliseconds above 0, and of 24 days at most.');
  if (faults.length > 0) throw new Misconfiguration(...faults);
  return {
    serviceName: read('OTEL_SERVICE_NAME') ?? 'janua',
    ratio: rootSampler === 'traceidratio' ? ratio : Number(rootSampler === 'always_on'),
    /** Whether a request that arrives with a trace is traced as its sender has decided (`parentbased_…`). */
    followsParent: sampler !== rootSampler,
    /** Milliseconds until ended spans are sent. */
    scheduleDelay,
  };
}
