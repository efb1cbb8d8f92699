import type { Values } from '../../ground/languages/languages.ts';
import type { Sentence } from '../../ground/languages/words.ts';
import { printable } from '../../ground/text/printable.ts';

/** `npm run reference` prints the fields of these types, with their comments. */
export interface AuditEvent<Kind extends string = string> {
  /** The name of the event, such as `login-succeeded`. */
  readonly kind: Kind;
  /** The client or command that caused the event, as far as the server can tell. */
  readonly caller: Caller;
  /**
   * The reason for the decision. The client is not told. Some kinds use this field differently. `login-succeeded`: the first proof of the
   * user, `password`, `passkey`, `sign-up` or `upstream`, and after a `+` the second step, such as `totp`, `recovery-code`, `passkey` or
   * `trusted-browser`. `factor-added`, `factor-removed`: the kind of factor. `key-replaced`: the name of the key. `throttle-lifted`: `all`,
   * or `address` and the address. `events-left-out`: the kind of these events.
   */
  readonly reason?: string | undefined;
  /** The user, if there is one. If a program that acts as itself was refused: its `client_id`. */
  readonly userId?: string | undefined;
  /**
   * A digest of the name that was typed, in place of `userId`. There may be no such user. The digest is an HMAC-SHA-256 with a key of this
   * installation, cut to 132 bits. The name itself is not kept, because people type passwords there.
   */
  readonly nameDigest?: string | undefined;
  /** The public part of a session. It cannot be used to sign in. */
  readonly sessionId?: string | undefined;
  /**
   * The keys under which the attempt was counted. In an unknown browser: `name`, `address` and `pair`, for an account also `account`, and
   * with IPv6 also `end-site`. In a known browser: only `browser`. For a code of a second factor: keys that begin with `factor-`.
   */
  readonly throttle?: readonly KeyTrace[] | undefined;
  /** Whether this user has signed in with this browser before. Undefined if Janua did not check. */
  readonly knownBrowser?: boolean | undefined;
  /** The number of users, sessions, mails or events that the event stands for. */
  readonly count?: number | undefined;
  /** The id of the administrator or the program that acted, on a page or by the API. */
  readonly actorId?: string | undefined;
  /**
   * The subject of the event: the scope or rule that was missing, the groups that a user is in now, the group that was changed, the scopes
   * of a token, the provider of a sign-in, the `client_id` of an application (`aboutName` has its name), the address of a resource, the
   * origin that a proxy asked about, the filters of an export of the audit, or `with password hashes`.
   */
  readonly about?: string | undefined;
  /**
   * The name of the application in `about`, as it was then. Undefined for an application that describes itself, because it chooses its
   * name.
   */
  readonly aboutName?: string | undefined;
  /**
   * In English: the explanation of the OpenID Connect library, how far a session lies in the future, the name of a client's secret, or why claims have no value. Never
   * a secret itself.
   */
  readonly detail?: string | undefined;
  /**
   * The parameters of the request that are the reason, such as `redirect_uri: https://…`. Never a code, token, secret or other credential.
   */
  readonly sent?: readonly string[] | undefined;
  /** The required groups. The user had to be in one of them. */
  readonly groups?: readonly string[] | undefined;
}

export interface RecordedEvent extends AuditEvent {
  /** A UUID of version 7, in order of time. */
  readonly id: string;
  /** UTC, ISO 8601, to the millisecond, by the clock of the process. */
  readonly at: string;
}

/** The client that caused an event, as far as the server can tell. Never a password, a cookie or a token (ASVS 16.2.5). */
export interface Caller {
  /**
   * Method and route (`POST /auth/token`), never the path as sent. Otherwise the command (`janua users disable`), `createJanua` for an
   * app, or `audit` for Janua itself.
   */
  readonly route: string;
  /** The id of the request, which a refused user can quote to the operator. Undefined for a command. */
  readonly requestId?: string | undefined;
  /** The client's address, as far as `TRUSTED_PROXIES` reveals it. */
  readonly address?: string | undefined;
  /** The client's `User-Agent`, as sent. */
  readonly userAgent?: string | undefined;
  /** `html` for a page, `json` for a program. */
  readonly format?: 'html' | 'json' | undefined;
  /** The operating system account that ran the command. */
  readonly operator?: string | undefined;
  /** The parts of the request that the decision was based on. */
  readonly trace?: CallerTrace | undefined;
}

export interface CallerTrace {
  /** The address that the connection came from. */
  readonly peer: string | undefined;
  /** `X-Forwarded-For` as sent. */
  readonly forwardedFor: string | undefined;
  /** Where the address comes from: the connection or the header of a trusted proxy. */
  readonly addressFrom: 'connection' | 'trusted-proxy' | 'unknown';
  /** The number of session cookies that were sent: `none`, `one` or `several`. */
  readonly cookie: 'one' | 'several' | 'none';
  /** The origin of an application behind forward authentication. `cookie` then counts Janua's cookies at that origin. */
  readonly cookieOf?: string | undefined;
  /** `sent` or `none`. */
  readonly accessToken: 'sent' | 'none';
  /** `sent` or `none`. */
  readonly browserCookie: 'sent' | 'none';
  /** The origins that count as Janua's own. */
  readonly expectedOrigins: readonly string[];
  /** `Origin` as sent. */
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site` as sent. */
  readonly fetchSite: string | undefined;
}

/** The kinds of keys under which the throttle counts, in words. */
export const throttleKeys: Readonly<
  Record<
    | `${'' | 'factor-'}${'account' | 'address' | 'end-site' | 'pair'}`
    | `token-${'address' | 'end-site' | 'pair'}`
    | 'name'
    | 'browser',
    Sentence
  >
> = {
  account: 'the account, from anywhere',
  name: 'the name, from anywhere',
  address: 'the address, with any name',
  'end-site': 'the network of the address, an IPv6 /48, with any name',
  pair: 'the account, from this address',
  browser: 'the account, in this browser',
  'factor-account': 'the codes of the account, from anywhere',
  'factor-pair': 'the codes of the account, from this address',
  'factor-address': 'codes from this address, of any account',
  'factor-end-site': 'codes from the network of the address, an IPv6 /48, of any account',
  'token-pair': 'tokens by HTTP Basic with the name, from this address',
  'token-address': 'tokens by HTTP Basic from this address, with any name',
  'token-end-site': 'tokens by HTTP Basic from the network of the address, an IPv6 /48, with any name',
};

export interface KeyTrace {
  /** The kind of the key, as below. */
  readonly kind: keyof typeof throttleKeys;
  /** The number of failures before this attempt. */
  readonly failures: number;
  /** Seconds that this key still had to wait; 0 when it let the attempt pass. */
  readonly waitSeconds: number;
  /** Whether the key is stopped: only an administrator or a new password lets attempts pass again. */
  readonly stopped: boolean;
}

/**
 * A reason for a decision in words, and advice for an operator. In the words, `{value}` stands for the text that follows the reason after a
 * blank. In the advice, `EMAIL` stands for the user, `ID` for the client in `about` or the refused program, and `GROUP` for a required group.
 */
export interface Reason {
  readonly words: Sentence;
  /** Undefined if the operator has nothing to do. */
  readonly advice?: Sentence;
  /** The advice for a user table of a team's own, which Janua's commands cannot change. */
  readonly adviceForOwnTable?: Sentence;
}

/** Describes one kind of decision. Each room describes its own kinds, and `site.ts` joins them. */
export interface EventDescription {
  /** Its name in the OWASP Logging Vocabulary (ASVS 16.3.1 to 16.3.3). */
  readonly vocabulary: string;
  /** The clients that can cause it. The number of events that clients can cause is limited (`flood-bound.ts`). */
  readonly by: 'anyone' | 'account-holder' | 'operator';
  /**
   * Whether the event tells of a lasting change. It is then stored in the transaction of the change (`recordIn`): both are stored, or
   * neither.
   */
  readonly isChange?: true;
  /**
   * Whether Janua makes the owner's change although its event exceeds the limit. The event is then only counted. Such a change ends or
   * prevents access of a thief, or its cause cannot be repeated: a login, or a mailed link. A thief who used up the allowance would
   * otherwise keep the owner from the change.
   */
  readonly isNeverRefused?: true;
  /** Whether each reason has its own limit. Guesses at unknown names must not hide guesses at accounts. */
  readonly isLimitedByReason?: true;
  /** The level of its log line: `warn` if an attacker could be the cause. */
  readonly level: 'info' | 'warn';
  /** The decision in words. The reason follows after a colon. */
  readonly words: Sentence;
  readonly reasons?: Readonly<Record<string, Reason>>;
  /** Advice to the operator, if it depends on the event. @param ownTable see `adviceForOwnTable` */
  readonly advise?: (event: AuditEvent, ownTable: boolean) => readonly Advice[];
}

export type Advice = Sentence | readonly [Sentence, Values];

export type Events = Readonly<Record<string, EventDescription>>;

/** The kinds that tell of lasting changes. */
export type ChangeKindOf<Described extends Events> = {
  [Kind in keyof Described & string]: Described[Kind] extends { readonly isChange: true } ? Kind : never;
}[keyof Described & string];

/** The stored form of a value. A number is for a text, and limits its characters. Of a list, the first ten items are stored. */
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
  aboutName: 100,
  detail: 300,
  sent: [300],
  groups: [100],
};

/** Cuts a value to its stored form. Returns undefined if it has another type. */
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
 * Reads a value as an event. Returns undefined if it is not an event. Runs before an event is stored and after it is read. Takes only the
 * fields of an event, each of its type, cut to its length, and printable. The audit therefore contains nothing else, and each row fits its
 * columns.
 */
export function readEvent(value: unknown, events: Events): AuditEvent | undefined {
  const event = read(value, eventShape) as Partial<AuditEvent> | undefined;
  const isEvent = event?.kind !== undefined && Object.hasOwn(events, event.kind) && event.caller?.route !== undefined;
  return isEvent ? (event as AuditEvent) : undefined;
}
