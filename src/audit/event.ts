/**
 * Every kind of decision that is recorded, with its name in the OWASP Logging Vocabulary (ASVS 16.3.1 to 16.3.3) and the level of
 * its line in the log: `warn` is what somebody who guesses or tricks could be behind, and what is missing because of them.
 * A kind that somebody without a password can bring about as often as they like is `cheap`: of those, only so many a minute are kept.
 */
export const eventKinds = {
  'login-succeeded': { vocabulary: 'authn_login_success', cheap: false, level: 'info' },
  'login-failed': { vocabulary: 'authn_login_fail', cheap: false, level: 'warn' },
  'login-throttled': { vocabulary: 'excess_rate_limit_exceeded', cheap: true, level: 'warn' },
  'login-incomplete': { vocabulary: 'input_validation_fail', cheap: true, level: 'info' },
  'account-stopped': { vocabulary: 'authn_login_lock', cheap: false, level: 'warn' },
  'logged-out': { vocabulary: 'session_expired', cheap: false, level: 'info' },
  'logout-refused': { vocabulary: 'authz_fail', cheap: true, level: 'info' },
  'access-refused': { vocabulary: 'authz_fail', cheap: true, level: 'info' },
  'cross-site-refused': { vocabulary: 'malicious_cors', cheap: true, level: 'warn' },
  'user-added': { vocabulary: 'user_created', cheap: false, level: 'info' },
  'password-set': { vocabulary: 'authn_password_change', cheap: false, level: 'info' },
  'user-disabled': { vocabulary: 'user_archived', cheap: false, level: 'info' },
  'user-enabled': { vocabulary: 'user_updated', cheap: false, level: 'info' },
  'user-removed': { vocabulary: 'user_deleted', cheap: false, level: 'info' },
  'session-ended': { vocabulary: 'session_expired', cheap: false, level: 'info' },
  'sessions-ended': { vocabulary: 'session_expired', cheap: false, level: 'info' },
  'throttle-lifted': { vocabulary: 'authn_login_lock', cheap: false, level: 'info' },
  'key-replaced': { vocabulary: 'sensitive_update', cheap: false, level: 'info' },
  'events-left-out': { vocabulary: 'excess_rate_limit_exceeded', cheap: false, level: 'warn' },
} as const satisfies Readonly<Record<string, { vocabulary: string; cheap: boolean; level: 'info' | 'warn' }>>;

export type EventKind = keyof typeof eventKinds;

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
export interface AuditEvent {
  readonly kind: EventKind;
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
