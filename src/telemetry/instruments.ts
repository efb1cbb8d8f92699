import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';

/** Seconds, from a look-up in SQLite to the timeout of a store. */
const storeBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];
/** Seconds, from `who-am-I` to the slowest acceptable login. */
const requestBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
/** Seconds, from an empty queue to a queue of a hundred logins. */
const waitBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export type Instruments = ReturnType<typeof createInstruments>;

/** Adds a metric whose value `read` gives at each scrape. */
export function addGauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/**
 * All metrics, with name, unit, meaning and labels. `docs/observability.md` lists them.
 * @param eventKinds every kind of decision that the audit records
 */
export function createInstruments(registry: Registry, eventKinds: readonly string[]) {
  const registers = [registry];
  const counter = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const histogram = <Label extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: Label[] = [],
  ) => new Histogram({ name, help, buckets, labelNames, registers });

  const instruments = {
    requests: counter('janua_http_requests_total', 'Requests answered.', ['route', 'method', 'status', 'format']),
    requestDuration: histogram(
      'janua_http_request_duration_seconds',
      'Time from the start of a request to the end of its answer.',
      requestBuckets,
      ['route', 'method'],
    ),
    logins: counter('janua_logins_total', 'Logins by their outcome: succeeded, failed, throttled, incomplete.', [
      'outcome',
    ]),
    throttle: counter(
      'janua_throttle_decisions_total',
      'Passwords that the throttle let pass or refused, by the key with the longest wait.',
      ['decision', 'key'],
    ),
    sessionsStarted: counter('janua_sessions_started_total', 'Sessions started.'),
    sessionsEnded: counter('janua_sessions_ended_total', 'Sessions ended by logout, replaced, revoked or expired.', [
      'why',
    ]),
    events: counter(
      'janua_audit_events_total',
      'Decisions by the kind of event, including events that were left out.',
      ['kind'],
    ),
    hashingWait: histogram('janua_hashing_wait_seconds', 'Time that a password waited for its hash.', waitBuckets),
    hashingRefused: counter('janua_hashing_refused_total', 'Passwords refused because too many were waiting.'),
    storeDuration: histogram('janua_store_duration_seconds', 'Time that a call of a store took.', storeBuckets, [
      'store',
      'operation',
    ]),
    storeErrors: counter('janua_store_errors_total', 'Calls of a store that failed: unavailable, or unexpected.', [
      'store',
      'operation',
      'error',
    ]),
  };
  // Every series starts at 0, because a series that begins at 1 shows no rise.
  for (const outcome of ['succeeded', 'failed', 'throttled', 'incomplete']) instruments.logins.inc({ outcome }, 0);
  for (const why of ['logout', 'replaced', 'revoked', 'expired']) instruments.sessionsEnded.inc({ why }, 0);
  for (const kind of eventKinds) instruments.events.inc({ kind }, 0);
  instruments.throttle.inc({ decision: 'passed', key: 'none' }, 0);
  for (const key of ['account', 'address', 'pair', 'browser'])
    instruments.throttle.inc({ decision: 'refused', key }, 0);
  return instruments;
}
