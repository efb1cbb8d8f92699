import { type Aggregator, Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';
import { inTime } from '../../ground/faults/in-time.ts';
import { throttleKeys } from '../audit/event.ts';

/** In seconds, from a look-up in SQLite to the timeout of a store. */
const storeBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];
/** In seconds, from the fastest request, which only looks up its session, to the slowest acceptable login. */
const requestBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
/** In seconds, from an empty queue to a queue of a hundred logins. */
const waitBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** How long a scrape waits for the database, in milliseconds. */
const readMilliseconds = 500;

/** The reasons of the event `mail-not-sent` for a mail that was not added to the outbox. */
export const refusedMails = ['too-many', 'too-many-by-administrator', 'too-many-waiting'];

export type Instruments = ReturnType<typeof createInstruments>;

/**
 * Adds a metric whose value `read` returns at each scrape. If `read` fails, the last value stays, so that the other metrics can be read.
 */
export function addGauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number | Promise<number>,
  aggregator: Aggregator = 'sum',
): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    aggregator,
    async collect() {
      const value = await inTime(Promise.try(read), readMilliseconds).catch(() => undefined);
      if (value !== undefined) this.set(value);
    },
  });
}

export interface Loads {
  hashing(): { readonly underWay: number; readonly waiting: number };
  /** Counts the waiting mails. All workers of a cluster share them. */
  queuedMails(): Promise<number>;
}

/** The labels of the counters, listed so that every series exists from the start. */
export interface Kinds {
  /** Every kind of decision that the audit records. */
  readonly events: readonly string[];
  /** The reasons for refusing requests of applications. */
  readonly refusals: readonly string[];
}

/** Creates the metrics that `npm run reference` lists in docs/reference/metrics.md. */
export function createInstruments(registry: Registry, kinds: Kinds, loads: Loads) {
  const registers = [registry];
  const counter = <Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });
  const histogram = <Label extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: Label[]
  ) => new Histogram({ name, help, buckets, labelNames, registers });
  /** Every series starts at 0, because a series that begins at 1 shows no rise. */
  function counterFromZero<Label extends string>(name: string, help: string, label: Label, values: readonly string[]) {
    const counted = counter(name, help, label);
    for (const value of values) counted.labels(value).inc(0);
    return counted;
  }

  addGauge(registry, 'janua_hashing_under_way', 'Passwords being hashed now.', () => loads.hashing().underWay);
  addGauge(registry, 'janua_hashing_waiting', 'Passwords waiting to be hashed.', () => loads.hashing().waiting);
  addGauge(registry, 'janua_mails_queued', 'Mails that wait to be sent.', () => loads.queuedMails(), 'max');
  const throttle = counter(
    'janua_throttle_decisions_total',
    'Passwords that the throttle passed, or refused by the key with the longest wait.',
    'decision',
    'key',
  );
  throttle.inc({ decision: 'passed', key: 'none' }, 0);
  for (const key of Object.keys(throttleKeys)) if (key !== 'name') throttle.inc({ decision: 'refused', key }, 0);

  return {
    requests: counter(
      'janua_http_requests_total',
      'Requests answered. The status is 499 if the client left first.',
      'route',
      'method',
      'status',
      'format',
    ),
    requestDuration: histogram(
      'janua_http_request_duration_seconds',
      'Time from the start of a request to the end of its answer.',
      requestBuckets,
      'route',
      'method',
    ),
    logins: counterFromZero(
      'janua_logins_total',
      'Logins by their outcome: succeeded, failed, throttled, incomplete.',
      'outcome',
      ['succeeded', 'failed', 'throttled', 'incomplete'],
    ),
    throttle,
    sessionsStarted: counter('janua_sessions_started_total', 'Sessions started.'),
    sessionsEnded: counterFromZero(
      'janua_sessions_ended_total',
      'Sessions that ended: logout, replaced by a new login, revoked, expired.',
      'why',
      ['logout', 'replaced', 'revoked', 'expired'],
    ),
    events: counterFromZero(
      'janua_audit_events_total',
      'Decisions by the kind of event, including events that the audit left out in a flood.',
      'kind',
      kinds.events,
    ),
    applicationTokens: counterFromZero(
      'janua_application_tokens_total',
      'Requests of applications that got tokens, by grant type (RFC 6749).',
      'grant',
      ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    ),
    applicationsRefused: counterFromZero(
      'janua_applications_refused_total',
      'Requests of applications that were refused, by the reason that the audit has.',
      'reason',
      kinds.refusals,
    ),
    hashingWait: histogram(
      'janua_hashing_wait_seconds',
      'Time that a password waited for a thread, after it got its turn. Its count is the number of hashes.',
      waitBuckets,
    ),
    hashingRefused: counter(
      'janua_hashing_refused_total',
      'Logins refused with 503, because too many passwords waited for a hash.',
    ),
    mailsSent: counter('janua_mails_sent_total', 'Mails that the mail server took.'),
    mailsFailed: counterFromZero(
      'janua_mails_failed_total',
      'Failed attempts to send a mail: put_off (tried again later), given_up, or server (it took no mail at all).',
      'why',
      ['put_off', 'given_up', 'server'],
    ),
    mailsRefused: counterFromZero(
      'janua_mails_refused_total',
      'Mails that were not added, by the reason that the audit has.',
      'reason',
      refusedMails,
    ),
    clock: new Gauge({
      name: 'janua_clock_ahead_seconds',
      help: 'Seconds by which the clock of the process is ahead of that of a store, database or redis; compared every ten minutes.',
      labelNames: ['store'],
      registers,
      // The processes of a cluster share a clock.
      aggregator: 'first',
    }),
    storeDuration: histogram(
      'janua_store_duration_seconds',
      'Time that a call of a store took: database or redis.',
      storeBuckets,
      'store',
      'operation',
    ),
    storeErrors: counter(
      'janua_store_errors_total',
      'Calls of a store that failed: unavailable (answered with 503), or unexpected (500, and in the log).',
      'store',
      'operation',
      'error',
    ),
  };
}
