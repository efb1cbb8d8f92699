import { interpolate } from '../../ground/languages/languages.ts';
import { type Translate, textsIn } from '../../ground/languages/speech.ts';
import type { Sentence } from '../../ground/languages/words.ts';
import { printable } from '../../ground/text/printable.ts';
import type { Advice, AuditEvent, CallerTrace, Events, KeyTrace, Reason, RecordedEvent } from './event.ts';
import { throttleKeys } from './event.ts';

interface About {
  readonly username?: string | undefined;
  readonly program?: string | undefined;
  readonly actor?: string | undefined;
  readonly ownTable?: boolean;
}

/**
 * Explains a decision in pairs of heading and text: the request, the decision with its reason and its basis, and advice to the operator.
 * @param about the names of the event's user and of its actor, if they still exist, and whether users are in a table of a team's own. `program`
 * is the name of a program that acts as itself, if the event has its id in place of a user's
 */
export function explain(
  event: RecordedEvent,
  events: Events,
  { username, program, actor, ownTable = false }: About = {},
  tell: Translate = textsIn('en').tell,
): [heading: string, text: string][] {
  const name = username === undefined ? undefined : printable(username);
  const { trace, userAgent } = event.caller;
  const by =
    event.actorId &&
    `${actor === undefined ? tell('a former user or program') : printable(actor)} (id ${event.actorId})`;
  const lines: [Sentence, string | undefined][] = [
    ['When', `${event.at.replace('T', ' ').replace('Z', '')} UTC`],
    ['Asked', describeAsked(event, tell)],
    ['Decided', describeDecision(event, events, tell)],
    ['About', describeAbout(event, tell)],
    ['Because', event.detail],
    ...(event.sent ?? []).map((sent): [Sentence, string] => ['Parameter', sent]),
    ['Groups', event.groups?.join(', ')],
    program === undefined
      ? ['User', describeUser(event, name, tell)]
      : ['Program', `${printable(program)} (id ${event.userId})`],
    ['By', by],
    ['Session', event.sessionId],
    ['Address', trace === undefined ? event.caller.address : describeAddress(event.caller.address, trace, tell)],
    ...(event.throttle ?? []).map((key): [Sentence, string] => ['Throttle', describeKey(key, tell)]),
    ['Browser', describeBrowser(event, tell)],
    ['Sent', trace && describeCredentials(trace, tell)],
    ['Origin', trace && describeOrigin(trace, tell)],
    ['Client', userAgent && tell('calls itself {client}', { client: userAgent })],
    ...adviseOn(event, events, ownTable).map((advice): [Sentence, string] => [
      'To do',
      fillAdvice(advice, program === undefined ? event : { ...event, about: event.userId }, name, tell),
    ]),
  ];
  return lines.flatMap(([heading, text]) => (text ? [[tell(heading), text]] : []));
}

/** Only a plain id or name is put into a command, because a shell would run parts of another text (ASVS 1.2.5). */
const plainId = /^[A-Za-z0-9_][\w.-]*$/;
const plainName = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.+@-]*$/u;

function fillAdvice(
  advice: Advice,
  { about = '', groups: [group = ''] = [] }: AuditEvent,
  name = '',
  tell: Translate,
): string {
  const [sentence, values] = typeof advice === 'string' ? [advice] : advice;
  const named = {
    EMAIL: plainName.test(name) ? name : 'EMAIL',
    ID: plainId.test(about) ? about : 'ID',
    GROUP: plainId.test(group) ? group : 'GROUP',
  };
  const places = /\b(?:EMAIL|ID(?![ -][Tt]oken)|GROUP)\b/g;
  return interpolate(
    tell(sentence).replaceAll(places, (word) => named[word as keyof typeof named]),
    values,
  );
}

function findReason({ kind, reason }: Pick<AuditEvent, 'kind' | 'reason'>, events: Events): Reason | undefined {
  const known = events[kind]?.reasons ?? {};
  return reason !== undefined && Object.hasOwn(known, reason) ? known[reason] : undefined;
}

function describeAsked({ kind, caller: { route, format, operator } }: AuditEvent, tell: Translate): string {
  if (kind === 'events-left-out') return tell('nothing: the server recorded this by itself');
  if (operator !== undefined) return tell('{route}, run by {operator}', { route, operator });
  if (format === undefined) return route;
  return tell(format === 'html' ? '{route}, answered as to a browser' : '{route}, answered in JSON', { route });
}

export function describeDecision(event: AuditEvent, events: Events, tell: Translate = textsIn('en').tell): string {
  const counted = event.count === undefined ? '' : ` (${event.count})`;
  const words = events[event.kind]?.words;
  const why = describeReason(event, events, tell);
  return `${words && tell(words)}${why === undefined ? '' : `: ${why}`}${counted}.`;
}

/** Describes the reason for a decision, step by step for a login. A known reason is put into words. */
export function describeReason({ kind, reason }: AuditEvent, events: Events, tell: Translate): string | undefined {
  const steps = reason?.split('+').map((step) => {
    const [name, ...values] = step.split(' ');
    const words = findReason({ kind, reason: name }, events)?.words;
    return words === undefined ? step : tell(words, values.length > 0 ? { value: values.join(' ') } : {});
  });
  return steps?.join(' + ');
}

/** Describes the subject of the event in words. */
export function describeAbout({ about, aboutName }: AuditEvent, tell: Translate): string | undefined {
  if (aboutName !== undefined) return `${aboutName} (id ${about})`;
  return about === 'with password hashes' ? tell(about) : about;
}

function describeUser({ userId, nameDigest: digest }: AuditEvent, username: string | undefined, tell: Translate) {
  if (userId !== undefined) return `${username ?? tell('no longer a user or program')} (id ${userId})`;
  return digest && tell('as typed; Janua keeps only a digest of it ({digest})', { digest });
}

function describeAddress(
  address: string | undefined,
  { addressFrom, peer, forwardedFor }: CallerTrace,
  tell: Translate,
): string {
  const header =
    forwardedFor === undefined ? undefined : tell('X-Forwarded-For says {header}', { header: forwardedFor });
  if (addressFrom === 'connection') {
    const known = address ?? peer ?? tell('unknown');
    const own = tell('{address}: the connection itself comes from there.', { address: known });
    return header === undefined
      ? own
      : `${own} ${tell('{header}, which does not count: that address is not in TRUSTED_PROXIES.', { header })}`;
  }
  if (addressFrom === 'trusted-proxy')
    return tell(
      '{address}: the first address from the right in X-Forwarded-For that is not in TRUSTED_PROXIES. The connection comes from the trusted proxy {peer}; {header}.',
      {
        address: address ?? tell('unknown'),
        peer: peer ?? tell('on the Unix socket'),
        header: header ?? tell('no X-Forwarded-For is kept'),
      },
    );
  if (peer === undefined)
    return tell(
      'unknown: the connection was closed before Janua looked at it, or it came over a Unix socket without an X-Forwarded-For that counts (TRUSTED_PROXIES=unix).',
    );
  if (header === undefined) return tell('unknown: the trusted proxy {peer} sent no X-Forwarded-For.', { peer });
  return tell('unknown: the trusted proxy {peer} sent no readable address of a client: {header}.', { peer, header });
}

function describeKey({ kind, failures: count, waitSeconds, stopped }: KeyTrace, tell: Translate): string {
  const counted = tell(
    count === 1
      ? '{key} ({kind}): 1 failure before this attempt'
      : '{key} ({kind}): {count} failures before this attempt',
    { key: tell(throttleKeys[kind]), kind, count },
  );
  if (stopped) return tell('{counted}; stopped.', { counted });
  return waitSeconds === 0
    ? tell('{counted}; no wait.', { counted })
    : tell('{counted}; must wait {time}.', { counted, time: describeSeconds(waitSeconds) });
}

export function describeSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}

function describeBrowser(
  { knownBrowser, nameDigest, caller: { trace } }: AuditEvent,
  tell: Translate,
): string | undefined {
  if (knownBrowser === undefined) return undefined;
  if (knownBrowser) return tell('known: this user has signed in with it before.');
  if (nameDigest !== undefined) return tell('not known, because there is no such user.');
  return tell(
    trace?.browserCookie === 'sent'
      ? 'its cookie is not from a login of this user.'
      : 'not known: it sent no browser cookie, so its failures count with those of all unknown browsers.',
  );
}

const sessionCookies = {
  none: 'no session cookie',
  one: 'one session cookie',
  several: 'several session cookies',
} as const;

const applicationCookies = {
  none: 'no cookie of Janua for {origin}',
  one: 'one cookie of Janua for {origin}',
  several: 'several cookies of Janua for {origin}',
} as const;

function describeCredentials({ cookie, cookieOf: origin, accessToken }: CallerTrace, tell: Translate): string {
  const cookies = origin === undefined ? tell(sessionCookies[cookie]) : tell(applicationCookies[cookie], { origin });
  return tell(accessToken === 'sent' ? '{cookies}; an access token.' : '{cookies}; no access token.', { cookies });
}

function describeOrigin({ expectedOrigins, origin, fetchSite }: CallerTrace, tell: Translate): string {
  const expected = expectedOrigins.join(` ${tell('or')} `) || tell('none');
  const sent = [
    ...(fetchSite === undefined ? [] : [`Sec-Fetch-Site: ${fetchSite}`]),
    ...(origin === undefined ? [] : [`Origin: ${origin}`]),
  ].join(', ');
  return sent === ''
    ? tell('expected {expected}; neither Origin nor Sec-Fetch-Site was sent.', { expected })
    : tell('expected {expected}; sent {sent}.', { expected, sent });
}

function adviseOn(event: AuditEvent, events: Events, ownTable: boolean): readonly Advice[] {
  const known = findReason(event, events);
  const advice = (ownTable ? known?.adviceForOwnTable : undefined) ?? known?.advice;
  return advice === undefined ? (events[event.kind]?.advise?.(event, ownTable) ?? []) : [advice];
}
