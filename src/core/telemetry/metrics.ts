import { collectDefaultMetrics, Registry } from '@prometheus-io/client';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import type { AuditEvent, KeyTrace } from '../audit/event.ts';
import { announceMetrics } from './cluster-metrics.ts';
import { createInstruments, type Instruments, type Kinds, type Loads, refusedMails } from './instruments.ts';
import type { AnsweredRequest } from './requests.ts';
import { watchCalls } from './watch-calls.ts';

/** The metrics of a running server, for Prometheus. No label holds a value chosen by a client, so the number of series is bounded. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Other methods share one label, because a client may send any method name. */
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

const methodOf = (sent: string) => (knownMethods.has(sent) ? sent : '(other)');

/** nginx's status for a client that closed the connection before the response. */
const clientGone = '499';

export function createMetrics(kinds: Kinds) {
  const registry = new Registry();
  // Metrics of the process and its event loop. Utilization is sampled only once a second, so that an idle server rarely wakes.
  collectDefaultMetrics({ register: registry, eventLoopUtilizationTimeout: 1000 });
  const loads: Loads = { hashing: () => ({ underWay: 0, waiting: 0 }), queuedMails: async () => 0 };
  const instruments = createInstruments(registry, kinds, loads);
  const handOver = announceMetrics(registry);

  return {
    observeRequest({ route = '(none)', method: sent, status, format, milliseconds }: AnsweredRequest): void {
      const method = methodOf(sent);
      instruments.requests.inc({ route, method, status: String(status), format });
      instruments.requestDuration.observe({ route, method }, milliseconds / 1000);
    },

    observeAbort({ route = '(none)', method, format }: Omit<AnsweredRequest, 'status' | 'milliseconds'>): void {
      instruments.requests.inc({ route, method: methodOf(method), status: clientGone, format });
    },

    /** Wraps a store and times each call. @param place `database` or `redis` @param name of the data in the store, such as `sessions` */
    watchStore<Store extends object>(place: string, name: string, store: Store): Store {
      return watchCalls(store, (method, call) => timed(instruments, place, `${name}.${method}`, call));
    },

    /**
     * Counts an event. A login that cannot be recorded has failed, so it does not count. Every other event has happened even if it is not
     * recorded.
     */
    observeEvent(event: AuditEvent, isRecorded: boolean): void {
      if (isRecorded || event.kind !== 'login-succeeded') count(instruments, event);
    },

    watchLoads: (read: Partial<Loads>) => void Object.assign(loads, read),
    observeMailFailure: (why: string) => instruments.mailsFailed.inc({ why }),
    observeTokens: (grant: string) => instruments.applicationTokens.inc({ grant }),
    observeExpired: (sessions: number) => instruments.sessionsEnded.inc({ why: 'expired' }, sessions),
    observeRefusal: () => instruments.hashingRefused.inc(),
    /** @param milliseconds how long a password waited for a thread */
    observeHashingWait: (milliseconds: number) => instruments.hashingWait.observe(milliseconds / 1000),
    /** @param seconds by which our clock is ahead of the store's */
    observeClock: (store: string, seconds: number) => instruments.clock.set({ store }, seconds),
    read: () => registry.metrics(),
    close: handOver,
  };
}

function timed(instruments: Instruments, store: string, operation: string, call: () => unknown): unknown {
  const start = performance.now();
  const result = call();
  // A method that returns no promise returns an async iterator. Only commands use these, so they are not timed.
  if (!(result instanceof Promise)) return result;
  const counted = result.catch((error: unknown) => {
    const kind = error instanceof Unavailable ? 'unavailable' : 'unexpected';
    instruments.storeErrors.inc({ store, operation, error: kind });
    throw error;
  });
  return counted.finally(() =>
    instruments.storeDuration.observe({ store, operation }, (performance.now() - start) / 1000),
  );
}

const passed: ReadonlySet<string> = new Set(['login-succeeded', 'login-failed', 'confirmed', 'confirm-failed']);

/**
 * Counts an event, without two details: why a login failed, and whether a throttled name belongs to an account. Otherwise an attacker who
 * reads the metrics could try a name and learn whether it is a user (ASVS 6.3.8). Both details are in the audit log.
 */
function count(instruments: Instruments, event: AuditEvent): void {
  const { logins, throttle, sessionsStarted, sessionsEnded, mailsSent, mailsRefused, applicationsRefused, events } =
    instruments;
  const { kind } = event;
  events.inc({ kind });
  if (kind.startsWith('login-')) logins.inc({ outcome: kind.slice('login-'.length) });
  if (kind === 'login-succeeded') sessionsStarted.inc();
  if (passed.has(kind)) throttle.inc({ decision: 'passed', key: 'none' });
  if (kind === 'login-throttled' || kind === 'confirm-throttled')
    throttle.inc({ decision: 'refused', key: longestWait(event.throttle) });
  if (kind === 'mail-sent') mailsSent.inc();
  if (kind === 'mail-not-sent' && refusedMails.includes(event.reason ?? ''))
    mailsRefused.inc({ reason: event.reason ?? '' });
  if (kind === 'application-refused') applicationsRefused.inc({ reason: event.reason ?? 'request' });
  if (kind === 'logged-out') sessionsEnded.inc({ why: 'logout' });
  if (kind === 'session-ended') sessionsEnded.inc({ why: event.reason === 'replaced' ? 'replaced' : 'revoked' });
  if (kind === 'sessions-ended') sessionsEnded.inc({ why: 'revoked' }, event.count ?? 0);
}

function longestWait(keys: readonly KeyTrace[] = []): string {
  const [longest] = keys.toSorted((one, other) => other.waitSeconds - one.waitSeconds);
  return longest === undefined || longest.kind === 'name' ? 'account' : longest.kind;
}
