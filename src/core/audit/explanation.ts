import { printable } from '../../ground/text/printable.ts';
import type { AuditEvent, CallerTrace, Events, KeyTrace, Reason, RecordedEvent } from './event.ts';
import { throttleKeys } from './event.ts';

interface About {
  readonly username?: string | undefined;
  readonly actor?: string | undefined;
  readonly ownTable?: boolean;
}

/**
 * Explains a decision in pairs of heading and text: the request, the decision with its reason and its basis, and advice to the operator.
 * @param about the names of the event's user and of its actor, if they still exist, and whether users are in a table of a team's own
 */
export function explain(
  event: RecordedEvent,
  events: Events,
  { username, actor, ownTable = false }: About = {},
): [heading: string, text: string][] {
  const name = username === undefined ? undefined : printable(username);
  const { trace, userAgent } = event.caller;
  const lines: [string, string | undefined][] = [
    ['When', `${event.at.replace('T', ' ').replace('Z', '')} UTC`],
    ['Asked', describeAsked(event)],
    ['Decided', describeDecision(event, events)],
    ['About', event.about],
    ['Because', event.detail],
    ...(event.sent ?? []).map((sent): [string, string] => ['Parameter', sent]),
    ['Groups', event.groups?.join(', ')],
    ['User', describeUser(event, name)],
    ['By', event.actorId && `${printable(actor ?? 'a former user')} (id ${event.actorId})`],
    ['Session', event.sessionId],
    ['Address', trace === undefined ? event.caller.address : describeAddress(event.caller.address, trace)],
    ...(event.throttle ?? []).map((key): [string, string] => ['Throttle', describeKey(key)]),
    ['Browser', describeBrowser(event)],
    ['Sent', trace && describeCredentials(trace)],
    ['Origin', trace && describeOrigin(trace)],
    ['Client', userAgent && `calls itself ${userAgent}`],
    ...adviseOn(event, events, ownTable).map((advice): [string, string] => ['To do', fill(advice, event, name)]),
  ];
  return lines.filter((line): line is [string, string] => line[1] !== undefined && line[1] !== '');
}

/** Only a plain id or name stands in a command: a shell would run parts of another one (ASVS 1.2.5). */
const plainId = /^[A-Za-z0-9_][\w.-]*$/;
const plainName = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.+@-]*$/u;

function fill(advice: string, { about = '', groups: [group = ''] = [] }: AuditEvent, name = ''): string {
  const values = {
    EMAIL: plainName.test(name) ? name : 'EMAIL',
    ID: plainId.test(about) ? about : 'ID',
    GROUP: plainId.test(group) ? group : 'GROUP',
  };
  return advice.replaceAll(/\b(?:EMAIL|ID(?! token)|GROUP)\b/g, (word) => values[word as keyof typeof values]);
}

function findReason({ kind, reason }: AuditEvent, events: Events): Reason | undefined {
  const known = events[kind]?.reasons ?? {};
  return reason !== undefined && Object.hasOwn(known, reason) ? known[reason] : undefined;
}

function describeAsked({ kind, caller: { route, format, operator } }: AuditEvent): string {
  if (kind === 'events-left-out') return 'nothing: the server recorded this by itself';
  if (operator !== undefined) return `${route}, run by ${operator}`;
  if (format === undefined) return route;
  return `${route}, answered ${format === 'html' ? 'as to a browser' : 'in JSON'}`;
}

export function describeDecision(event: AuditEvent, events: Events): string {
  const counted = event.count === undefined ? '' : ` (${event.count})`;
  const why = findReason(event, events)?.words ?? event.reason;
  return `${events[event.kind]?.words}${why === undefined ? '' : `: ${why}`}${counted}.`;
}

function describeUser({ userId, nameDigest }: AuditEvent, username: string | undefined): string | undefined {
  if (userId !== undefined) return `${username ?? 'no longer a user'} (id ${userId})`;
  return nameDigest && `unknown; Janua keeps only a digest of the name (${nameDigest})`;
}

function describeAddress(address: string | undefined, { addressFrom, peer, forwardedFor }: CallerTrace): string {
  const header = forwardedFor === undefined ? undefined : `X-Forwarded-For says ${forwardedFor}`;
  if (addressFrom === 'connection') {
    const own = `${address ?? peer ?? 'unknown'}: the connection itself comes from there.`;
    return header === undefined
      ? own
      : `${own} ${header}, which does not count: that address is not in TRUSTED_PROXIES.`;
  }
  if (addressFrom === 'trusted-proxy')
    return `${address ?? 'unknown'}: the first address from the right in X-Forwarded-For that is not in TRUSTED_PROXIES. The connection comes from the trusted proxy ${peer ?? 'on the Unix socket'}; ${header ?? 'no X-Forwarded-For is kept'}.`;
  if (peer === undefined)
    return 'unknown: the connection was closed before Janua looked at it, or it came over a Unix socket without an X-Forwarded-For that counts (TRUSTED_PROXIES=unix).';
  if (header === undefined) return `unknown: the trusted proxy ${peer} sent no X-Forwarded-For.`;
  return `unknown: the trusted proxy ${peer} sent no readable address of a client: ${header}.`;
}

function describeKey({ kind, failures, waitSeconds, stopped }: KeyTrace): string {
  const counted = `${throttleKeys[kind]} (${kind}): ${failures === 1 ? '1 failure' : `${failures} failures`} before this attempt`;
  if (stopped) return `${counted}; stopped.`;
  return waitSeconds === 0 ? `${counted}; no wait.` : `${counted}; must wait ${describeSeconds(waitSeconds)}.`;
}

export function describeSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}

function describeBrowser({ knownBrowser, nameDigest, caller: { trace } }: AuditEvent): string | undefined {
  if (knownBrowser === undefined) return undefined;
  if (knownBrowser) return 'known: this user has signed in with it before.';
  if (nameDigest !== undefined) return 'not known, because there is no such user.';
  return trace?.browserCookie === 'sent'
    ? 'its cookie is not from a login of this user.'
    : 'not known: it sent no browser cookie, so its failures count with those of all unknown browsers.';
}

function describeCredentials({ cookie, cookieOf, accessToken }: CallerTrace): string {
  const number = { none: 'no', one: 'one', several: 'several' }[cookie];
  const name = cookieOf === undefined ? 'session cookie' : `cookie of Janua for ${cookieOf}`;
  const cookies = `${number} ${cookie === 'several' ? name.replace('cookie', 'cookies') : name}`;
  return `${cookies}; ${accessToken === 'sent' ? 'an access token' : 'no access token'}.`;
}

function describeOrigin({ expectedOrigins, origin, fetchSite }: CallerTrace): string {
  const sent = [
    ...(fetchSite === undefined ? [] : [`Sec-Fetch-Site: ${fetchSite}`]),
    ...(origin === undefined ? [] : [`Origin: ${origin}`]),
  ];
  return `expected ${expectedOrigins.join(' or ') || 'none'}; ${sent.length === 0 ? 'neither Origin nor Sec-Fetch-Site was sent' : `sent ${sent.join(', ')}`}.`;
}

function adviseOn(event: AuditEvent, events: Events, ownTable: boolean): readonly string[] {
  const known = findReason(event, events);
  if (known === undefined) return events[event.kind]?.advise?.(event, ownTable) ?? [];
  return [(ownTable ? known.adviceForOwnTable : undefined) ?? known.advice];
}
