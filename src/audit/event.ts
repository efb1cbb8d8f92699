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

/** Who caused an event, as far as the server can tell. Never a password, a cookie or a token (ASVS 16.2.5). */
export interface Caller {
  /** A refused user can quote it to the operator. Undefined for a command. */
  readonly requestId?: string | undefined;
  /** Undefined if unknown. */
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  /** Method and route (`POST /auth/token`), the command (`janua users disable`), or `audit`. Never the path as sent. */
  readonly route: string;
  readonly format?: 'html' | 'json' | undefined;
  /** The operating system account that ran a command. */
  readonly operator?: string | undefined;
  /** What the decision was based on. */
  readonly trace?: CallerTrace | undefined;
}

/** What the server saw of a request when it decided, for `janua explain`. */
export interface CallerTrace {
  /** The address that the connection comes from. */
  readonly peer?: string | undefined;
  /** `X-Forwarded-For` as sent, at most 200 characters. */
  readonly forwardedFor?: string | undefined;
  /** Where the address comes from: the connection or the header of a trusted proxy. */
  readonly addressFrom: 'connection' | 'trusted-proxy' | 'unknown';
  readonly cookie: 'none' | 'one' | 'several';
  readonly accessToken: 'none' | 'sent';
  readonly browserCookie: 'none' | 'sent';
  readonly expectedOrigins: readonly string[];
  readonly origin?: string | undefined;
  readonly fetchSite?: string | undefined;
}

/** What the throttle knew about one of the keys of a login attempt. */
export interface KeyTrace {
  readonly kind: 'account' | 'name' | 'address' | 'pair' | 'browser';
  /** Failures that were counted before this attempt. */
  readonly failures: number;
  /** Seconds that this key still had to wait; 0 when it let the attempt pass. */
  readonly waitSeconds: number;
  /** Whether only an administrator or a new password lets it pass again. */
  readonly stopped: boolean;
}

/** One decision. */
export interface AuditEvent<Kind extends string = string> {
  readonly kind: Kind;
  readonly caller: Caller;
  /** The true reason, which the client is not told. For `events-left-out` the kind of those, for `key-replaced` the name of the key. */
  readonly reason?: string | undefined;
  readonly userId?: string | undefined;
  /** Replaces a name that no user has. The name itself is not kept, because people type passwords there. */
  readonly nameDigest?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly throttle?: readonly KeyTrace[] | undefined;
  /** Whether this user has signed in with this browser before. Undefined if Janua did not check. */
  readonly knownBrowser?: boolean | undefined;
  /** Only for `events-left-out` and `sessions-ended`. */
  readonly count?: number | undefined;
}

/** An event as stored. */
export interface RecordedEvent extends AuditEvent {
  /** In order of time. */
  readonly id: string;
  /** UTC, ISO 8601. */
  readonly at: string;
}
