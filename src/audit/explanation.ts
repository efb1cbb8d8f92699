import { printable } from '../text/printable.ts';
import type { AuditEvent, CallerTrace, EventKind, KeyTrace, RecordedEvent } from './event.ts';

/** What happened, by kind. A reason, where there is one, goes on after it. */
const decisions: Readonly<Record<EventKind, string>> = {
  'login-succeeded': 'Logged in: name and password were right, and a new session was started',
  'login-failed': 'The login was refused',
  'login-throttled': 'The login was refused before the password was looked at: too many had failed before it',
  'login-incomplete': 'The login was refused, since it could not be one; no user was looked up',
  'account-stopped': 'So many logins had failed that the account takes no more of them',
  'logged-out': 'Logged out: the session has ended, with its cookie and its access token',
  'logout-refused': 'There was no session to end',
  'access-refused': 'Nobody was signed in, and the page or answer was not given',
  'cross-site-refused': 'The request was refused, since it came from another site',
  'user-added': 'A user was added',
  'password-set': 'A password was set, and the sessions of the user have ended',
  'user-disabled': 'A user was disabled, and their sessions have ended',
  'user-enabled': 'A user was enabled',
  'user-removed': 'A user was removed, and their sessions have ended',
  'session-ended': 'A session was ended',
  'sessions-ended': 'All sessions of a user were ended',
  'throttle-lifted': 'What the throttle had counted was forgotten',
  'key-replaced': 'A key was replaced',
  'events-left-out': 'More events of one kind came than are kept; they were only counted',
};

interface Explained {
  readonly words: string;
  /** What an operator can do. `EMAIL` stands for the user. */
  readonly advice: string;
}

const credentialReasons = {
  'no-credential': {
    words: 'neither a session cookie nor an access token was sent',
    advice:
      'Nothing, where somebody had just not signed in yet. A browser that did and sends no cookie reached another host or scheme than PUBLIC_URL says.',
  },
  'dead-cookie': {
    words:
      'the session of the cookie has ended, by its time, by a logout, or because the user changed; or there never was such a session',
    advice:
      'Sign in again. janua audit --user EMAIL shows what ended it; SESSION_IDLE_SECONDS and SESSION_LIFETIME_SECONDS say when one ends by itself.',
  },
  'several-cookies': {
    words: 'more than one session cookie was sent, so that none counts: one of them may have been planted',
    advice:
      'Remove the cookies of this host in the browser. Look who else sets cookies of that name on the domain: with an HTTPS PUBLIC_URL nobody can.',
  },
  'invalid-token': {
    words: 'the access token is none, or its session has ended; where a token is sent, no cookie counts',
    advice:
      'Get a new token by logging in. Where a person cannot have sent one, look what adds an Authorization header.',
  },
  'several-authorization-headers': {
    words: 'more than one Authorization header was sent, so that none counts',
    advice: 'Look what adds the second one: the program itself, or a proxy before this server.',
  },
} as const satisfies Readonly<Record<string, Explained>>;

/** Every reason that an event may carry, by kind. */
export const reasons: Readonly<Partial<Record<EventKind, Readonly<Record<string, Explained>>>>> = {
  'login-failed': {
    'unknown-user': {
      words: 'there is no user of that name',
      advice:
        'Compare the name: janua audit --user NAME finds this event if NAME is what was typed. A new user: janua users add EMAIL.',
    },
    'wrong-password': {
      words: 'there is such a user, and the password was wrong',
      advice: 'If it is forgotten: janua users set-password EMAIL.',
    },
    'disabled-user': {
      words: 'name and password were right, and the user is disabled',
      advice: 'To let them in: janua users enable EMAIL, or in your own table of users.',
    },
    'changed-meanwhile': {
      words:
        'name and password were right at first, and the user was disabled, removed or given another password before the session had started',
      advice: 'Try again. janua audit --user EMAIL shows what was changed.',
    },
  },
  'login-incomplete': {
    incomplete: {
      words: 'name or password was missing, empty, sent twice, too long, or sent in the query',
      advice: 'Send both in the body, each once, as text, of at most 254 characters and 1024 bytes.',
    },
    'unsupported-grant-type': {
      words: 'another grant type was asked for',
      advice: 'Send grant_type=password, or none.',
    },
  },
  'session-ended': {
    replaced: {
      words: 'somebody logged in who presented it: a login ends the session that came with it, and starts a new one',
      advice: 'Nothing. The login that goes with it has the same request id.',
    },
    'too-many': {
      words: 'the user had more sessions than SESSIONS_PER_USER, and it was the oldest',
      advice:
        'Nothing, unless the user knows nothing of so many logins: janua audit --user EMAIL shows where they came from.',
    },
  },
  'access-refused': credentialReasons,
  'logout-refused': credentialReasons,
};

const keys: Readonly<Record<KeyTrace['kind'], string>> = {
  account: 'the account, from anywhere',
  name: 'the name, from anywhere',
  address: 'the address, whatever the name',
  pair: 'the account, from this address',
  browser: 'the account, in this browser',
};

/**
 * A decision in plain words, as pairs of a heading and a text: what was asked, what was decided and why, what that was based
 * on, and what can be done.
 * @param username of the event's user, where there still is one
 */
export function explain(event: RecordedEvent, username?: string): [heading: string, text: string][] {
  const name = username === undefined ? undefined : printable(username);
  const { trace, userAgent } = event.caller;
  const lines: [string, string | undefined][] = [
    ['When', `${event.at.replace('T', ' ').replace('Z', '')} UTC`],
    ['Asked', describeAsked(event)],
    ['Decided', describeDecision(event)],
    ['User', describeUser(event, name)],
    ['Session', event.sessionId],
    ['Address', trace === undefined ? event.caller.address : describeAddress(event.caller.address, trace)],
    ...(event.throttle ?? []).map((key): [string, string] => ['Throttle', describeKey(key)]),
    ['Browser', describeBrowser(event)],
    ['Sent', trace && describeCredentials(trace)],
    ['Origin', trace && describeOrigin(trace)],
    ['Client', userAgent && `calls itself ${userAgent}`],
    ...adviseOn(event).map((advice): [string, string] => ['To do', advice.replaceAll('EMAIL', () => name ?? 'EMAIL')]),
  ];
  return lines.filter((line): line is [string, string] => line[1] !== undefined && line[1] !== '');
}

/** The row may be of another version, or of somebody else's making. */
function findReason(kind: EventKind, reason: string | undefined): Explained | undefined {
  const known = reasons[kind] ?? {};
  return reason !== undefined && Object.hasOwn(known, reason) ? known[reason] : undefined;
}

function describeAsked({ kind, caller: { route, format, operator } }: AuditEvent): string {
  if (kind === 'events-left-out') return 'nothing: the server itself says so';
  if (operator !== undefined) return `${route}, run by ${operator}`;
  if (format === undefined) return route;
  return `${route}, answered ${format === 'html' ? 'as to a browser' : 'in JSON'}`;
}

function describeDecision({ kind, reason, count }: AuditEvent): string {
  const counted = count === undefined ? '' : ` (${count})`;
  const why = findReason(kind, reason)?.words ?? reason;
  return `${decisions[kind]}${why === undefined ? '' : `: ${why}`}${counted}.`;
}

function describeUser({ userId, nameDigest }: AuditEvent, username: string | undefined): string | undefined {
  if (userId !== undefined) return `${username ?? 'no longer there by that id'} (id ${userId})`;
  return nameDigest && `unknown; of the name that was typed only a digest is kept (${nameDigest})`;
}

function describeAddress(address: string | undefined, trace: CallerTrace): string {
  const { peer, forwardedFor } = trace;
  const said = forwardedFor === undefined ? undefined : `X-Forwarded-For says ${forwardedFor}`;
  switch (trace.addressFrom) {
    case 'connection': {
      const own = `${address ?? peer ?? 'unknown'}: the connection itself comes from there`;
      return said === undefined
        ? `${own}.`
        : `${own}. ${said}, which does not count: that is no address in TRUSTED_PROXIES.`;
    }
    case 'trusted-proxy':
      return `${address ?? 'unknown'}: the first from the right, in X-Forwarded-For, that is not in TRUSTED_PROXIES. The connection comes from the trusted proxy ${peer ?? 'on the Unix socket'}; ${said ?? 'no X-Forwarded-For is kept'}.`;
    case 'unknown': {
      if (peer === undefined)
        return 'unknown: the connection was gone before Janua looked at it, or it came over a Unix socket without an X-Forwarded-For that counts (TRUSTED_PROXIES=unix).';
      const fault = said === undefined ? 'sent no X-Forwarded-For' : `is trusted, but no client can be read: ${said}`;
      return `unknown: the trusted proxy ${peer} ${fault}.`;
    }
  }
}

function describeKey({ kind, failures, waitSeconds, stopped }: KeyTrace): string {
  const counted = `${keys[kind]} (${kind}): ${failures === 1 ? '1 failure' : `${failures} failures`} counted before`;
  if (stopped) return `${counted}; stopped.`;
  return waitSeconds === 0 ? `${counted}; let it pass.` : `${counted}; has to wait ${describeSeconds(waitSeconds)}.`;
}

function describeSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}

function describeBrowser({ knownBrowser, nameDigest, caller: { trace } }: AuditEvent): string | undefined {
  if (knownBrowser === undefined) return undefined;
  if (knownBrowser) return 'one in which this user has signed in before.';
  if (nameDigest !== undefined) return 'known for nobody, since there is no such user.';
  return trace?.browserCookie === 'sent'
    ? 'its cookie is not from a login of this user.'
    : 'not known: it sent no browser cookie, so that its failures count with those of everybody else.';
}

function describeCredentials({ cookie, accessToken }: CallerTrace): string {
  const cookies = { none: 'no session cookie', one: 'one session cookie', several: 'several session cookies' }[cookie];
  return `${cookies}; ${accessToken === 'sent' ? 'an access token' : 'no access token'}.`;
}

function describeOrigin({ expectedOrigins, origin, fetchSite }: CallerTrace): string {
  const came = [
    ...(fetchSite === undefined ? [] : [`Sec-Fetch-Site: ${fetchSite}`]),
    ...(origin === undefined ? [] : [`Origin: ${origin}`]),
  ];
  return `expected ${expectedOrigins.join(' or ') || 'none'}; ${came.length === 0 ? 'neither Origin nor Sec-Fetch-Site came' : `came ${came.join(', ')}`}.`;
}

function adviseOn(event: AuditEvent): string[] {
  const { kind, reason, caller } = event;
  const known = findReason(kind, reason);
  if (known !== undefined) return [known.advice];
  switch (kind) {
    case 'login-throttled':
    case 'account-stopped':
      return adviseOnThrottle(event);
    case 'cross-site-refused':
      return adviseOnOrigin(caller.trace);
    case 'events-left-out':
      return ['The log of the server or of the proxy before it shows who sent them; block them there.'];
    default:
      return [];
  }
}

function adviseOnThrottle({ kind, throttle = [], caller: { address, trace } }: AuditEvent): string[] {
  const blocking = throttle.filter(({ stopped, waitSeconds }) => stopped || waitSeconds > 0);
  const byAddress = blocking.some((key) => key.kind === 'address' || key.kind === 'pair');
  const wait = Math.max(0, ...blocking.map(({ waitSeconds }) => waitSeconds));
  const stopped = kind === 'account-stopped' || blocking.some((key) => key.stopped);
  const end = stopped
    ? 'Nothing lets it in again by itself: janua users set-password EMAIL, or janua throttle lift EMAIL.'
    : `Wait ${describeSeconds(wait)}, or janua throttle lift EMAIL.`;
  const lift = blocking.some((key) => key.kind === 'address') && address !== undefined;
  return [
    end,
    ...(lift ? [`For everybody at that address: janua throttle lift --address ${address}.`] : []),
    ...(byAddress && trace?.addressFrom === 'connection' && trace.forwardedFor !== undefined
      ? ['If the connection comes from your own proxy, name it in TRUSTED_PROXIES: else all its visitors count as one.']
      : []),
    ...(trace?.addressFrom === 'unknown'
      ? ['Make the trusted proxy send X-Forwarded-For with the address it sees.']
      : []),
  ];
}

function adviseOnOrigin(trace: CallerTrace | undefined): string[] {
  const { origin, fetchSite, expectedOrigins = [] } = trace ?? {};
  const expected = origin !== undefined && expectedOrigins.includes(origin);
  return [
    'Nothing, where another site sent it: that is what is to be refused.',
    ...(expected
      ? [
          `The origin is ours, and the browser says ${fetchSite ?? 'nothing'}: a page of another site led to it, or something between changed the header.`,
        ]
      : [
          `If people reach this server at ${origin ?? 'that address'}, set PUBLIC_URL to it.`,
          'If it is another application of yours, list its origin in CORS_ORIGINS.',
        ]),
  ];
}
