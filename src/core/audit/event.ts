import { printable } from '../../ground/text/printable.ts';

export interface AuditEvent<Kind extends string = string> {
  readonly kind: Kind;
  readonly caller: Caller;
  /** Why the server decided so. The client is not told. `events-left-out` holds their kind here, `key-replaced` the name of the key. */
  readonly reason?: string | undefined;
  readonly userId?: string | undefined;
  /** Replaces a name that no user has. The name itself is not kept, because people type passwords there. */
  readonly nameDigest?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly throttle?: readonly KeyTrace[] | undefined;
  /** Whether this user has signed in with this browser before. Undefined if Janua did not check. */
  readonly knownBrowser?: boolean | undefined;
  readonly count?: number | undefined;
  /** The administrator who did it on a page. */
  readonly actorId?: string | undefined;
  /** The subject: the groups of a user after the change, the changed group, the provider of a sign-in, or the missing scope. */
  readonly about?: string | undefined;
  /** The explanation of the protocol's library, in English. Never a secret. */
  readonly detail?: string | undefined;
  /** The part of the request that is the reason, such as `redirect_uri: https://…`. Never a secret. */
  readonly sent?: readonly string[] | undefined;
  /** The groups of which the user had to be in one. */
  readonly groups?: readonly string[] | undefined;
}

export interface RecordedEvent extends AuditEvent {
  /** In order of time. */
  readonly id: string;
  /** UTC, ISO 8601. */
  readonly at: string;
}

/** The client that caused an event, as far as the server can tell. Never a password, a cookie or a token (ASVS 16.2.5). */
export interface Caller {
  /** Method and route (`POST /auth/token`), the command (`janua users disable`), or `audit`. Never the path as sent. */
  readonly route: string;
  /** A refused user can quote it to the operator. Undefined for a command. */
  readonly requestId?: string | undefined;
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly format?: 'html' | 'json' | undefined;
  readonly operator?: string | undefined;
  /** What the decision was based on. */
  readonly trace?: CallerTrace | undefined;
}

export interface CallerTrace {
  readonly peer: string | undefined;
  /** `X-Forwarded-For` as sent. */
  readonly forwardedFor: string | undefined;
  /** Where the address comes from: the connection or the header of a trusted proxy. */
  readonly addressFrom: 'connection' | 'trusted-proxy' | 'unknown';
  readonly cookie: 'one' | 'several' | 'none';
  /** The origin of the application whose own cookies `cookie` counts, in place of session cookies. */
  readonly cookieOf?: string | undefined;
  readonly accessToken: 'sent' | 'none';
  readonly browserCookie: 'sent' | 'none';
  readonly expectedOrigins: readonly string[];
  /** `Origin` as sent. */
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site` as sent. */
  readonly fetchSite: string | undefined;
}

/** The kinds of keys that the throttle counts by, in words. */
export const throttleKeys = {
  account: 'the account, from anywhere',
  name: 'the name, from anywhere',
  address: 'the address, with any name',
  pair: 'the account, from this address',
  browser: 'the account, in this browser',
  'factor-account': 'the codes of the account, from anywhere',
  'factor-pair': 'the codes of the account, from this address',
  'factor-address': 'codes from this address, of any account',
};

export interface KeyTrace {
  readonly kind: keyof typeof throttleKeys;
  readonly failures: number;
  /** Seconds that this key still had to wait; 0 when it let the attempt pass. */
  readonly waitSeconds: number;
  /** Whether only an administrator or a new password lets it pass again. */
  readonly stopped: boolean;
}

/**
 * A reason for a decision, in words, and what an operator can do about it. `EMAIL` stands for the user, `ID` for the client that it is
 * about, and `GROUP` for a group that was needed.
 */
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
  /** The clients that can cause it. The number of events that clients can cause is limited (`flood-bound.ts`). */
  readonly by: 'anyone' | 'account-holder' | 'operator';
  /** Whether the number is limited for each reason. Guesses at unknown names must not hide guesses at accounts. */
  readonly isLimitedByReason?: true;
  /** The level of its log line: `warn` if an attacker could be the cause. */
  readonly level: 'info' | 'warn';
  /** What was decided. A reason follows after a colon. */
  readonly words: string;
  readonly reasons?: Readonly<Record<string, Reason>>;
  /** Advice to the operator, if it depends on the event. @param ownTable see `adviceForOwnTable` */
  readonly advise?: (event: AuditEvent, ownTable: boolean) => readonly string[];
}

export type Events = Readonly<Record<string, EventDescription>>;

/** The number of characters that are kept of a text. Of a list, the first ten items are kept. */
type Shape = number | 'count' | 'flag' | readonly [Shape] | { readonly [field: string]: Shape };

const throttleShape = { kind: 20, failures: 'count', waitSeconds: 'count', stopped: 'flag' } as const;
const credentialsShape = { cookie: 10, cookieOf: 200, accessToken: 10, browserCookie: 10 };
const originShape = { expectedOrigins: [200], origin: 200, fetchSite: 40 } as const;
const traceShape = { peer: 64, forwardedFor: 200, addressFrom: 20, ...credentialsShape, ...originShape };
const callerShape = {
  requestId: 64,
  address: 64,
  userAgent: 200,
  route: 100,
  format: 4,
  operator: 100,
  trace: traceShape,
};

const eventShape: Shape = {
  kind: 40,
  caller: callerShape,
  reason: 100,
  userId: 255,
  nameDigest: 43,
  sessionId: 43,
  throttle: [throttleShape],
  knownBrowser: 'flag',
  count: 'count',
  actorId: 255,
  about: 200,
  detail: 300,
  sent: [300],
  groups: [100],
};

/** Cuts a value to what is kept; undefined if it has another type. */
function read(value: unknown, shape: Shape): unknown {
  if (shape === 'flag') return typeof value === 'boolean' ? value : undefined;
  if (shape === 'count') return typeof value === 'number' && value >= 0 ? wholeNumber(value) : undefined;
  if (typeof shape === 'number') return typeof value === 'string' ? printable(value.slice(0, shape)) : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  if (isList(shape)) return Array.isArray(value) ? readList(value, shape[0]) : undefined;
  const fields = Object.entries(shape).map(([name, kept]) => [name, read(Reflect.get(value, name), kept)]);
  return Object.fromEntries(fields);
}

/** Rounds up, because a wait must not end early. */
const wholeNumber = (value: number) => Math.min(Math.ceil(value), Number.MAX_SAFE_INTEGER);

const isList = (shape: object): shape is readonly [Shape] => Array.isArray(shape);

const readList = (items: readonly unknown[], shape: Shape) =>
  items
    .slice(0, 10)
    .map((item) => read(item, shape))
    .filter((item) => item !== undefined);

/**
 * Reads a value as an event; undefined if it is none. Runs before an event is stored and after it is read. Takes only the fields of an
 * event, each of its type, cut to its length, and printable. Nothing else gets into the audit, and each row fits its columns.
 */
export function readEvent(value: unknown, events: Events): AuditEvent | undefined {
  const event = read(value, eventShape) as Partial<AuditEvent> | undefined;
  const isEvent = event?.kind !== undefined && Object.hasOwn(events, event.kind) && event.caller?.route !== undefined;
  return isEvent ? (event as AuditEvent) : undefined;
}
