import type { Answer, Client } from './client.ts';
import { type Check, type Finding, ok, warning, wrong } from './finding.ts';

/** Longest time that browsers keep a cookie, in seconds (RFC 6265bis 5.5). */
const longestAge = 400 * 24 * 60 * 60;

/** A parsed `Set-Cookie` line. */
export interface SetCookie {
  readonly name: string;
  readonly value: string;
  /** By lower-case name. An attribute without a value has an empty one. */
  readonly attributes: ReadonlyMap<string, string>;
}

export function parseSetCookie(line: string): SetCookie {
  const [pair = '', ...attributes] = line.split(';');
  const [name, value] = splitOnce(pair);
  return {
    name,
    value,
    attributes: new Map(
      attributes.map(splitOnce).map(([attribute, setting]) => [attribute.toLowerCase(), setting] as const),
    ),
  };
}

function splitOnce(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals === -1 ? [text.trim(), ''] : [text.slice(0, equals).trim(), text.slice(equals + 1).trim()];
}

const isSession = ({ name }: SetCookie) => /^(?:__Host-)?session$/.test(name);
const isBrowser = ({ name }: SetCookie) => /^(?:__Host-)?browser$/.test(name);
/** Carries the typed username to the login page after a failed login, or binds a passkey's challenge to the browser. */
const isBrief = ({ name }: SetCookie) => /^(?:__Host-)?(?:login-failure|ceremony)$/.test(name);

/** The session cookie that an answer sets; undefined if it sets none or clears it. */
export function sessionCookieOf(answer: Answer): SetCookie | undefined {
  return answer
    .lines('set-cookie')
    .map(parseSetCookie)
    .find((cookie) => isSession(cookie) && cookie.value !== '');
}

/** Checks that no script, no other site and no other host can get at the cookies of any login so far (ASVS 3.3). */
export async function* checkCookies({ answers, https, origin }: Client): Check {
  const cookies = answers.flatMap(({ lines }) => lines('set-cookie').map(parseSetCookie));
  const started = cookies.filter(({ value }) => value !== '');
  yield judgeCookies('session', started.filter(isSession), https, origin, (age) => age === undefined);
  yield judgeCookies(
    'browser',
    started.filter(isBrowser),
    https,
    origin,
    (age) => age !== undefined && Number(age) > 0 && Number(age) <= longestAge,
  );
  const other = cookies.find((cookie) => ![isSession, isBrowser, isBrief].some((isOurs) => isOurs(cookie)));
  if (other !== undefined)
    yield warning(
      `There is a cookie ${other.name}, which is not Janua's.`,
      'Find out what sets it, and whether it is needed, Secure and HttpOnly.',
    );
}

function judgeCookies(
  name: string,
  cookies: readonly SetCookie[],
  https: boolean,
  origin: string,
  mayLast: (maxAge: string | undefined) => boolean,
): Finding {
  const expected = https ? `__Host-${name}` : name;
  const leave = 'Let the proxy leave Set-Cookie unchanged.';
  const [first] = cookies;
  if (first === undefined) return wrong(`A login sets no cookie ${expected}.`, leave);
  const otherName = cookies.find((cookie) => cookie.name !== expected)?.name;
  if (otherName !== undefined)
    return wrong(
      `The ${name} cookie is ${otherName}, where ${https ? 'HTTPS' : 'plain HTTP'} needs ${expected}.`,
      `PUBLIC_URL=${origin}; or use the address that users open in --against.`,
    );
  const faults = new Set(cookies.flatMap((cookie) => faultsOf(cookie, https, mayLast)));
  return faults.size === 0
    ? ok(`The cookie ${expected} is ${https ? 'Secure, ' : ''}HttpOnly, SameSite, and for this host only.`)
    : wrong(`The cookie ${expected} comes ${[...faults].join(', ')}.`, leave);
}

function faultsOf(
  { attributes }: SetCookie,
  https: boolean,
  mayLast: (maxAge: string | undefined) => boolean,
): string[] {
  const has = (name: string) => attributes.has(name);
  const faults: [is: boolean, how: string][] = [
    [https !== has('secure'), https ? 'without Secure' : 'with Secure'],
    [!has('httponly'), 'without HttpOnly'],
    [!/^(?:lax|strict)$/i.test(attributes.get('samesite') ?? ''), 'without SameSite=Lax'],
    [attributes.get('path') !== '/', 'without Path=/'],
    [has('domain'), 'with Domain'],
    [has('expires') || !mayLast(attributes.get('max-age')), 'with a wrong lifetime'],
  ];
  return faults.filter(([is]) => is).map(([, how]) => how);
}
