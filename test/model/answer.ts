import type { LightMyRequestResponse } from 'fastify';
import type { Format } from '../../src/web/types.ts';
import { type Credentials, lifetimeSeconds, type Outcome, type Presented } from './model.ts';

/** The main parts of an answer. */
export interface Answer {
  readonly status: number;
  /** The redirect, or the title and the user of a page. In JSON, the detail or the user. */
  readonly says: string;
  readonly sessionCookie: 'set' | 'cleared' | 'kept';
  readonly challenge?: string;
  readonly retryAfterSeconds?: number;
}

const sessionCookieOf = ({ cookies }: LightMyRequestResponse) => cookies.find(({ name }) => name === 'session')?.value;

export function readAnswer(response: LightMyRequestResponse): Answer {
  const { statusCode: status, headers } = response;
  const cookie = sessionCookieOf(response);
  const isJson = String(headers['content-type']).startsWith('application/json');
  const says = isJson ? saidInJson(response.json()) : (headers.location ?? saidOnPage(response.body));
  return {
    status,
    says,
    sessionCookie: cookie === undefined ? 'kept' : cookie === '' ? 'cleared' : 'set',
    ...(headers['www-authenticate'] && { challenge: String(headers['www-authenticate']) }),
    ...(headers['retry-after'] && { retryAfterSeconds: Number(headers['retry-after']) }),
  };
}

/** The credentials from the answer to a login. */
export function readCredentials(response: LightMyRequestResponse): Credentials | undefined {
  const cookie = sessionCookieOf(response);
  if (!cookie) return undefined;
  return { cookie, accessToken: response.headers.location === undefined ? response.json().access_token : undefined };
}

function saidInJson(body: Record<string, unknown>): string {
  if (body.access_token !== undefined)
    return `${body.token_type} for ${body.expires_in} seconds, ${body.detail ?? 'new'}`;
  return body.first_name === undefined ? String(body.detail) : JSON.stringify(body);
}

function saidOnPage(body: string): string {
  const [, title] = /<title>([^<]*)<\/title>/.exec(body) ?? [];
  const [, alert] = /role="alert"[^>]*>([^<]*)</.exec(body) ?? [];
  const [, name] = /<dd>([^<]*)<\/dd>/.exec(body) ?? /<h1>Welcome, ([^<]*)<\/h1>/.exec(body) ?? [];
  return [title, alert ?? name].filter((text) => text !== undefined).join(': ');
}

/** The parts of a route that change its answers. */
export interface Route {
  readonly is: 'login' | 'logout' | 'me' | 'home' | 'login page';
  readonly format: Format;
  /** The path to return to after a login. */
  readonly next?: string;
}

/** The answer for an outcome in each format. The format may change nothing else about an action. */
export function tell({ is, format, next }: Route, outcome: Outcome, { cookie, accessToken }: Presented): Answer {
  const html = format === 'html';
  // If the request has a token, the server does not look at the cookie.
  const ended = cookie !== undefined && accessToken === undefined ? 'cleared' : 'kept';
  const answer = (
    status: number,
    says: string,
    sessionCookie: Answer['sessionCookie'] = 'kept',
    more = {},
  ): Answer => ({
    status,
    says,
    sessionCookie,
    ...more,
  });
  const refuse = (location: string, detail: string) =>
    html
      ? answer(303, location, ended)
      : answer(401, detail, 'kept', {
          challenge: `Bearer realm="janua"${accessToken === undefined ? '' : ', error="invalid_token"'}`,
        });

  switch (outcome.is) {
    case 'logged-in':
      if (html) return answer(303, '/auth/home', 'set');
      return answer(
        200,
        `bearer for ${lifetimeSeconds} seconds, ${outcome.again ? 'Already logged in' : 'new'}`,
        'set',
      );
    case 'refused':
      if (html) return answer(303, '/auth/login?state=3');
      return answer(400, 'Incorrect username or password');
    case 'throttled':
      return answer(
        429,
        html
          ? `Janua Login: Too many attempts. Please wait ${inWords(outcome.retryAfterSeconds)} before trying again.`
          : 'Too many attempts',
        'kept',
        { retryAfterSeconds: outcome.retryAfterSeconds },
      );
    case 'signed-in': {
      const { username, firstName } = outcome.user;
      if (is === 'login page') return answer(303, '/auth/home');
      if (is === 'home') return answer(200, `Janua Home: ${firstName}`);
      if (html) return answer(200, `Janua My Info: ${username}`);
      return answer(200, JSON.stringify({ username, first_name: firstName, last_name: 'Example' }));
    }
    case 'signed-out':
      if (is === 'login page') return answer(200, 'Janua Login', ended);
      return refuse(
        `/auth/login?state=2${next === undefined ? '' : `&next=${encodeURIComponent(next)}`}`,
        accessToken === undefined ? 'Not authenticated' : 'Invalid authentication credentials',
      );
    case 'logged-out':
      return html ? answer(303, '/auth/login?state=0', 'cleared') : answer(200, 'Logged out', 'cleared');
    case 'no-session':
      return refuse(
        `/auth/login?state=${isShapedAsGiven(cookie, '') || isShapedAsGiven(accessToken, 'janua_') ? 5 : 1}`,
        'This session has not been logged in before',
      );
    case 'done':
      throw new TypeError('no response matches this outcome');
  }
}

/** Only a credential of this shape can have belonged to a session. */
const isShapedAsGiven = (credential: string | undefined, prefix: string) =>
  credential?.startsWith(prefix) && /^[\w-]{22}\.[\w-]{43}$/.test(credential.slice(prefix.length));

/** In minutes from two minutes on. */
function inWords(seconds: number): string {
  if (seconds === 1) return '1 second';
  return seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
