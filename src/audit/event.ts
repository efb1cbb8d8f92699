import { printable } from '../text/printable.ts';

/** A reason for a decision, in words, and what an operator can do about it. `EMAIL` stands for the user. */
export interface Reason {
  readonly words: string;
  readonly advice: string;
  /** The advice for a user table of a team's own, which Janua's commands cannot change. */
  readonly adviceForOwnTable?: string;
}

/** One kind of decision. Each room describes its own kinds; `site.ts` joins them. */
export interface EventDescription {
  /** Its name in the OWASP Logging Vocabulary (ASVS 16.3.1 to 16.3.3). */
  readonly vocabulary: string;
  /** Who can cause it. The number of events that clients can cause is limited (`flood-bound.ts`). */
  readonly by: 'anyone' | 'account-holder' | 'operator';
  /** Whether the number is limited for each reason. Guesses at unknown names must not hide guesses at accounts. */
  readonly isLimitedByReason?: true;
  /** The level of its log line: `warn` if an attacker could be the cause. */
  readonly level: 'info' | 'warn';
  /** What was decided. A reason follows after a colon. */
  readonly words: string;
  /** Every reason that such an event may carry. */
  readonly reasons?: Readonly<Record<string, Reason>>;
  /** What an operator can do, if that depends on the event. @param ownTable see `adviceForOwnTable` */
  readonly advise?: (event: AuditEvent, ownTable: boolean) => readonly string[];
}

export type Events = Readonly<Record<string, EventDescription>>;

/** One decision. */
export type AuditEvent<Kind extends string = string> = Partial<ReadEvent> & {
  readonly kind: Kind;
  readonly caller: Caller;
};

type ReadEvent = NonNullable<ReturnType<typeof readEvent>>;

/** An event as stored. */
export interface RecordedEvent extends AuditEvent {
  /** In order of time. */
  readonly id: string;
  /** UTC, ISO 8601. */
  readonly at: string;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

/**
 * Reads a value as an event; undefined if it is none. Runs before an event is stored and after it is read. Takes only the fields of an
 * event, each of its type, cut to its length, and printable. Nothing else gets into the audit, each row fits its columns, and a row that was
 * edited by hand breaks no reader.
 */
export function readEvent(value: unknown, events: Events) {
  if (!isFields(value) || typeof value.kind !== 'string' || !Object.hasOwn(events, value.kind)) return undefined;
  const caller: Caller | undefined = readCaller(value.caller);
  if (caller === undefined) return undefined;
  return {
    kind: value.kind,
    caller,
    /** Why the server decided so. The client is not told. `events-left-out` holds their kind here, `key-replaced` the name of the key. */
    reason: readText(value.reason, 100),
    userId: readText(value.userId, 255),
    /** Replaces a name that no user has. The name itself is not kept, because people type passwords there. */
    nameDigest: readText(value.nameDigest, 43),
    sessionId: readText(value.sessionId, 43),
    throttle: readList(value.throttle, readKey),
    /** Whether this user has signed in with this browser before. Undefined if Janua did not check. */
    knownBrowser: typeof value.knownBrowser === 'boolean' ? value.knownBrowser : undefined,
    /** Only for `events-left-out` and `sessions-ended`. */
    count: readCount(value.count),
  } as const;
}

/** Who caused an event, as far as the server can tell. Never a password, a cookie or a token (ASVS 16.2.5). */
export type Caller = Partial<ReadCaller> & Pick<ReadCaller, 'route'>;

type ReadCaller = NonNullable<ReturnType<typeof readCaller>>;

function readCaller(value: unknown) {
  if (!isFields(value)) return undefined;
  const route = readText(value.route, 100);
  if (route === undefined) return undefined;
  return {
    /** A refused user can quote it to the operator. Undefined for a command. */
    requestId: readText(value.requestId, 64),
    /** Undefined if unknown. */
    address: readText(value.address, 64),
    userAgent: readText(value.userAgent, 200),
    /** Method and route (`POST /auth/token`), the command (`janua users disable`), or `audit`. Never the path as sent. */
    route,
    format: readOneOf(value.format, ['html', 'json']),
    /** The operating system account that ran a command. */
    operator: readText(value.operator, 100),
    /** What the decision was based on. */
    trace: readTrace(value.trace),
  } as const;
}

/** What the server saw of a request when it decided, for `janua explain`. */
export type CallerTrace = NonNullable<ReturnType<typeof readTrace>>;

function readTrace(value: unknown) {
  if (!isFields(value)) return undefined;
  return {
    /** The address that the connection comes from. */
    peer: readText(value.peer, 64),
    /** `X-Forwarded-For` as sent. */
    forwardedFor: readText(value.forwardedFor, 200),
    /** Where the address comes from: the connection or the header of a trusted proxy. */
    addressFrom: readOneOf(value.addressFrom, ['connection', 'trusted-proxy']) ?? 'unknown',
    cookie: readOneOf(value.cookie, ['one', 'several']) ?? 'none',
    accessToken: readOneOf(value.accessToken, ['sent']) ?? 'none',
    browserCookie: readOneOf(value.browserCookie, ['sent']) ?? 'none',
    expectedOrigins: readList(value.expectedOrigins, (origin) => readText(origin, 200)) ?? [],
    origin: readText(value.origin, 200),
    fetchSite: readText(value.fetchSite, 40),
  } as const;
}

/** The kinds of keys that the throttle counts by, in words. */
export const throttleKeys = {
  account: 'the account, from anywhere',
  name: 'the name, from anywhere',
  address: 'the address, with any name',
  pair: 'the account, from this address',
  browser: 'the account, in this browser',
};

/** What the throttle knew about one of the keys of a login attempt. */
export type KeyTrace = NonNullable<ReturnType<typeof readKey>>;

function readKey(value: unknown) {
  if (!isFields(value)) return undefined;
  const kind = readOneOf(value.kind, Object.keys(throttleKeys) as (keyof typeof throttleKeys)[]);
  if (kind === undefined) return undefined;
  return {
    kind,
    /** Failures that were counted before this attempt. */
    failures: readCount(value.failures) ?? 0,
    /** Seconds that this key still had to wait; 0 when it let the attempt pass. */
    waitSeconds: readCount(value.waitSeconds) ?? 0,
    /** Whether only an administrator or a new password lets it pass again. */
    stopped: value.stopped === true,
  } as const;
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
function readList<Item>(value: unknown, read: (item: unknown) => Item | undefined): readonly Item[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value
    .slice(0, 10)
    .map(read)
    .filter((item) => item !== undefined);
}
