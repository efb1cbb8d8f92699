/** A reason for a decision, in words, and what an operator can do about it. `EMAIL` stands for the user. */
export interface Reason {
  readonly words: string;
  readonly advice: string;
  /** The same where users are in a table of a team's own, which no command changes. */
  readonly adviceForOwnTable?: string;
}

/** One kind of decision. Each room describes its own kinds; `site.ts` joins them. */
export interface EventDescription {
  /** Its name in the OWASP Logging Vocabulary (ASVS 16.3.1 to 16.3.3). */
  readonly vocabulary: string;
  /** Who can bring it about: of what clients can, only so much is kept (`flood-bound.ts`). */
  readonly by: 'anyone' | 'account-holder' | 'operator';
  /** Of its line in the log: `warn` where an attacker could be behind it. */
  readonly level: 'info' | 'warn';
  /** What was decided. A reason follows after a colon. */
  readonly words: string;
  /** Every reason that such an event may carry. */
  readonly reasons?: Readonly<Record<string, Reason>>;
  /** What an operator can do, where that depends on the event. @param ownTable see `adviceForOwnTable` */
  readonly advise?: (event: AuditEvent, ownTable: boolean) => readonly string[];
}

export type Events = Readonly<Record<string, EventDescription>>;

/** Who brought an event about, as far as the server can tell. Never a password, a cookie or a token (ASVS 16.2.5). */
export interface Caller {
  /** What a person who was refused can quote. Undefined for a command. */
  readonly requestId?: string | undefined;
  /** Without one where it could not be told. */
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  /** Method and route, as `POST /auth/token`, or the command, as `janua users disable`, or `audit`. Never a path as it was sent. */
  readonly route: string;
  readonly format?: 'html' | 'json' | undefined;
  /** The account of the machine that ran a command. */
  readonly operator?: string | undefined;
  /** What the decision was based on. */
  readonly trace?: CallerTrace | undefined;
}

/** What the server saw of a request when it decided, for `janua explain`. */
export interface CallerTrace {
  /** The address that the connection comes from. */
  readonly peer?: string | undefined;
  /** `X-Forwarded-For` as it was sent, where it was: at most 200 characters. */
  readonly forwardedFor?: string | undefined;
  /** Where the address comes from: the connection, a trusted proxy's word, or nowhere. */
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
  /** The true reason, which the one who was refused is not told; of `events-left-out`, the kind of those; of `key-replaced`, the name of the key. */
  readonly reason?: string | undefined;
  readonly userId?: string | undefined;
  /** Of a name that is no user's, only its digest: people type passwords there. */
  readonly nameDigest?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly throttle?: readonly KeyTrace[] | undefined;
  /** Whether the browser was one in which this user has signed in before; undefined where it was not looked at. */
  readonly knownBrowser?: boolean | undefined;
  /** Of `events-left-out` and `sessions-ended`. */
  readonly count?: number | undefined;
}

/** An event as it is kept. */
export interface RecordedEvent extends AuditEvent {
  /** In order of time. */
  readonly id: string;
  /** UTC, ISO 8601. */
  readonly at: string;
}
