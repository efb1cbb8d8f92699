import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';
import { throttleKeys } from '../audit/event.ts';
import { inTime } from '../faults/in-time.ts';
import type { Passwords } from '../passwords/passwords.ts';

/** Seconds, from a look-up in SQLite to the timeout of a store. */
const storeBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];
/** Seconds, from `who-am-I` to the slowest acceptable login. */
const requestBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
/** Seconds, from an empty queue to a queue of a hundred logins. */
const waitBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export type Instruments = ReturnType<typeof createInstruments>;

/** Adds a metric whose value `read` gives at each scrape. */
function addGauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** How long a scrape waits for the database, in milliseconds. */
const readMilliseconds = 500;

/**
 * Adds the number of mails that wait, which all workers of a cluster share. While the database cannot be reached, the last number stays,
 * so that the other metrics can still be read.
 */
function addQueuedMails(registry: Registry, read: () => Promise<number>): void {
  new Gauge({
    name: 'janua_mails_queued',
    help: 'Mails that wait to be sent.',
    registers: [registry],
    aggregator: 'max',
    async collect() {
      const count = await inTime(read(), readMilliseconds).catch(() => undefined);
      if (count !== undefined) this.set(count);
    },
  });
}

/** The two metrics about the processes of a server. */
export function addProcesses(registry: Registry, expected: number, answered: () => number): void {
  addGauge(registry, 'janua_processes_expected', 'Processes that should serve.', () => expected);
  addGauge(registry, 'janua_processes_answered', 'Processes whose figures are included.', answered);
}

/** For the primary of a cluster. `first` prefers this value to the workers': the server started with this process. */
export function addStartTime(registry: Registry): void {
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start time of the process since unix epoch in seconds.',
    registers: [registry],
    aggregator: 'first',
  }).set(Math.round(Date.now() / 1000 - process.uptime()));
}

export interface Loads {
  /** Number of passwords that are being hashed, and of those that wait. */
  readonly hashing: Passwords['load'];
  /** Number of mails that wait. */
  readonly queuedMails: () => Promise<number>;
}

/**
 * The metrics of a process that serves, with name, unit, meaning and labels. `docs/observability.md` lists them.
 * @param eventKinds every kind of decision that the audit records
 */
export function createInstruments(registry: Registry, eventKinds: readonly string[], { hashing, queuedMails }: Loads) {
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
    mailsSent: counter('janua_mails_sent_total', 'Mails that the mail server took.'),
    mailsFailed: counter(
      'janua_mails_failed_total',
      'Failed attempts to send a mail: put_off, given_up, or server if it takes no mail at all.',
      ['why'],
    ),
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
  addGauge(registry, 'janua_hashing_under_way', 'Passwords being hashed now.', () => hashing().underWay);
  addGauge(registry, 'janua_hashing_waiting', 'Passwords waiting to be hashed.', () => hashing().waiting);
  addQueuedMails(registry, queuedMails);
  // Every series starts at 0, because a series that begins at 1 shows no rise.
  for (const outcome of ['succeeded', 'failed', 'throttled', 'incomplete']) instruments.logins.inc({ outcome }, 0);
  for (const why of ['logout', 'replaced', 'revoked', 'expired']) instruments.sessionsEnded.inc({ why }, 0);
  for (const why of ['put_off', 'given_up', 'server']) instruments.mailsFailed.inc({ why }, 0);
  for (const kind of eventKinds) instruments.events.inc({ kind }, 0);
  instruments.throttle.inc({ decision: 'passed', key: 'none' }, 0);
  for (const key of Object.keys(throttleKeys))
    if (key !== 'name') instruments.throttle.inc({ decision: 'refused', key }, 0);
  return instruments;
}
