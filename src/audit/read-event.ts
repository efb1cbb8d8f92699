import { printable } from '../text/printable.ts';
import type { AuditEvent, Caller, CallerTrace, Events, KeyTrace } from './event.ts';

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

/**
 * Reads a value as an event; undefined if it is none. Runs before an event is stored and after it is read. Takes only the fields of an
 * event, each of its type, cut to its length, and printable. Nothing else gets into the audit, each row fits its columns, and a row that was
 * edited by hand breaks no reader.
 */
export function readEvent(value: unknown, events: Events): AuditEvent | undefined {
  if (!isFields(value) || typeof value.kind !== 'string' || !Object.hasOwn(events, value.kind)) return undefined;
  const caller = readCaller(value.caller);
  if (caller === undefined) return undefined;
  return {
    kind: value.kind,
    caller,
    reason: readText(value.reason, 100),
    userId: readText(value.userId, 255),
    nameDigest: readText(value.nameDigest, 43),
    sessionId: readText(value.sessionId, 43),
    throttle: readThrottle(value.throttle),
    knownBrowser: typeof value.knownBrowser === 'boolean' ? value.knownBrowser : undefined,
    count: readCount(value.count),
  };
}

function readCaller(value: unknown): Caller | undefined {
  if (!isFields(value)) return undefined;
  const route = readText(value.route, 100);
  if (route === undefined) return undefined;
  return {
    requestId: readText(value.requestId, 64),
    address: readText(value.address, 64),
    userAgent: readText(value.userAgent, 200),
    route,
    format: readOneOf(value.format, ['html', 'json']),
    operator: readText(value.operator, 100),
    trace: readTrace(value.trace),
  };
}

function readTrace(value: unknown): CallerTrace | undefined {
  if (!isFields(value)) return undefined;
  return {
    peer: readText(value.peer, 64),
    forwardedFor: readText(value.forwardedFor, 200),
    addressFrom: readOneOf(value.addressFrom, ['connection', 'trusted-proxy']) ?? 'unknown',
    cookie: readOneOf(value.cookie, ['one', 'several']) ?? 'none',
    accessToken: readOneOf(value.accessToken, ['sent']) ?? 'none',
    browserCookie: readOneOf(value.browserCookie, ['sent']) ?? 'none',
    expectedOrigins: readList(value.expectedOrigins, (origin) => readText(origin, 200)) ?? [],
    origin: readText(value.origin, 200),
    fetchSite: readText(value.fetchSite, 40),
  };
}

function readThrottle(value: unknown): KeyTrace[] | undefined {
  return readList(value, (key) => {
    if (!isFields(key)) return undefined;
    const kind = readOneOf(key.kind, ['account', 'name', 'address', 'pair', 'browser']);
    if (kind === undefined) return undefined;
    return {
      kind,
      failures: readCount(key.failures) ?? 0,
      waitSeconds: readCount(key.waitSeconds) ?? 0,
      stopped: key.stopped === true,
    };
  });
}

function readText(value: unknown, length: number): string | undefined {
  return typeof value === 'string' ? printable(value.slice(0, length)) : undefined;
}

/** Rounds up to a whole number, because a wait must not end early. */
function readCount(value: unknown): number | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return undefined;
  return Math.min(Math.ceil(value), Number.MAX_SAFE_INTEGER);
}

function readOneOf<Choice extends string>(value: unknown, choices: readonly Choice[]): Choice | undefined {
  return choices.find((choice) => choice === value);
}

/** Reads the first ten items, and drops the unreadable ones. */
function readList<Item>(value: unknown, read: (item: unknown) => Item | undefined): Item[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value
    .slice(0, 10)
    .map(read)
    .filter((item) => item !== undefined);
}
