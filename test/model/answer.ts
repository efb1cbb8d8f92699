import type { LightMyRequestResponse } from 'fastify';
import type { Format } from '../../src/web/types.ts';
import type { Credentials, Outcome, Presented } from './model.ts';

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

const isJson = ({ headers }: LightMyRequestResponse) => String(headers['content-type']).startsWith('application/json');

export function readAnswer(response: LightMyRequestResponse): Answer {
  const { statusCode: status, headers } = response;
  const cookie = sessionCookieOf(response);
  const says = isJson(response) ? saidInJson(response.json()) : (headers.location ?? saidOnPage(response.body));
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
  return { cookie, accessToken: isJson(response) ? response.json().access_token : undefined };
}

function saidInJson(body: Record<string, unknown>): string {
  if (body.access_token !== undefined)
    return `${body.token_type} for ${body.expires_in} seconds, ${body.detail ?? 'new'}${withCodes(body.recovery_codes)}`;
  if (body.secret !== undefined) return 'a secret';
  if (body.mfa_token !== undefined) return `${body.detail} (${[body.methods].flat().join(' ')})`;
  return body.first_name === undefined ? String(body.detail) : JSON.stringify(body);
}

const withCodes = (codes: unknown) => (Array.isArray(codes) ? ` with ${codes.length} recovery codes` : '');

function saidOnPage(body: string): string {
  const [, title] = /<title>([^<]*)<\/title>/.exec(body) ?? [];
  const [, alert] = /role="alert"[^>]*>([^<]*)</.exec(body) ?? [];
  const [, name] = /<dd>([^<]*)<\/dd>/.exec(body) ?? /<h1>Welcome, ([^<]*)<\/h1>/.exec(body) ?? [];
  return [title, alert ?? name].filter((text) => text !== undefined).join(': ');
}

/** The parts of a route that change its answers. */
export interface Route {
  readonly is:
    | 'login'
    | 'logout'
    | 'me'
    | 'home'
    | 'login page'
    | 'confirm'
    | 'password'
    | 'delete'
    | 'end session'
    | 'end others'
    | 'forgot-password'
    | 'sign-up'
    | 'finish'
    | 'email'
    | 'reset-password'
    | 'confirm-email'
    | 'second-factor'
    | 'totp/begin'
    | 'totp'
    | 'totp/remove'
    | 'recovery-codes'
    | 'trusted-browsers/end';
  readonly format: Format;
  /** The path to return to after a login. */
  readonly next?: string;
}

/** What the server says when it has done an action: where a browser is led, and what a program is told. */
const done: Readonly<Partial<Record<Route['is'], readonly [page: string, detail: string]>>> = {
  confirm: ['/account', 'Confirmed'],
  password: ['/account?state=1', 'Password changed'],
  delete: ['/auth/login?state=7', 'Account deleted'],
  'end session': ['/account/sessions?state=1', 'Session ended'],
  'end others': ['/account/sessions?state=2', 'Other sessions ended'],
  'forgot-password': ['/auth/forgot-password?state=1', 'If the address belongs to an account, a mail is on its way'],
  'sign-up': ['/auth/sign-up?state=1', 'If the address can be used, a mail is on its way'],
  finish: ['/auth/home', 'Account created'],
  email: ['/account?state=2', 'A link is on its way to the new address'],
  'reset-password': ['/auth/login?state=6', 'Password changed. Log in with the new one'],
  'confirm-email': ['/account?state=3', 'Address changed'],
  totp: ['/account/security?state=1', 'Authenticator app added'],
  'totp/remove': ['/account/security?state=2', 'Authenticator app removed'],
  'recovery-codes': ['', 'The old recovery codes are void'],
  'trusted-browsers/end': ['/account/security?state=6', 'Trust ended'],
};

/** Where the proof leads that a change asks for, if it is not the page of the change. */
const provedFor: Readonly<Partial<Record<Route['is'], string>>> = {
  'end session': '/account/sessions',
  'end others': '/account/sessions',
  totp: '/account/security/totp',
  'totp/begin': '/account/security',
  'totp/remove': '/account/security',
  'recovery-codes': '/account/security',
  'trusted-browsers/end': '/account/security',
};

const invalidFactor = 'This code or this login is not valid, or no longer';

/** The titles of forms, which are shown again with the faults. */
const titles: Readonly<Partial<Record<Route['is'], string>>> = {
  confirm: 'Confirm',
  password: 'Change your password',
  delete: 'Delete your account',
  email: 'Change your email address',
  finish: 'Finish your account',
  'reset-password': 'New password',
  totp: 'Set up an authenticator app',
  'recovery-codes': 'Recovery codes',
};

/** The answer for an outcome in each format. The format may change nothing else about an action. */
export function tell({ is, format, next }: Route, outcome: Outcome, { cookie, accessToken }: Presented): Answer {
  const html = format === 'html';
  const [page = '', detail = ''] = done[is] ?? [];
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
      if (html) return answer(303, next ?? '/auth/home', 'set');
      return answer(
        200,
        `bearer for ${outcome.expiresInSeconds} seconds, ${outcome.again ? 'Already logged in' : 'new'}`,
        'set',
      );
    case 'renewed': {
      const { givesCodes = false, expiresInSeconds } = outcome;
      if (html) return givesCodes ? answer(200, `Janua ${titles[is]}`, 'set') : answer(303, page, 'set');
      const codes = givesCodes ? ' with 10 recovery codes' : '';
      return answer(200, `bearer for ${expiresInSeconds} seconds, ${detail}${codes}`, 'set');
    }
    case 'signed-up':
      if (html) return answer(303, page, 'set');
      return answer(201, `bearer for ${outcome.expiresInSeconds} seconds, ${detail}`, 'set');
    case 'mfa-required': {
      const detail = 'This account has a second factor. Log in on a page, or send the mfa_token to /api/second-factor';
      return html ? answer(303, '/auth/second-factor') : answer(403, `${detail} (${outcome.methods})`);
    }
    case 'login-over':
      return html ? answer(303, '/auth/login?state=2') : answer(400, invalidFactor);
    case 'invalid-factor':
      return html ? answer(422, 'Janua Second step') : answer(400, invalidFactor);
    case 'too-many-codes':
      return answer(429, html ? 'Janua Too Many Requests' : 'Too many attempts', 'kept', {
        retryAfterSeconds: outcome.retryAfterSeconds,
      });
    case 'no-such-factor':
      return answer(404, html ? 'Janua Not Found' : 'There is nothing with that id');
    case 'begun':
      return html ? answer(200, 'Janua Set up an authenticator app') : answer(200, 'a secret');
    case 'asked':
      return html ? answer(303, page) : answer(202, detail);
    case 'link-refused':
      return answer(
        410,
        html ? 'Janua Link No Longer Valid' : 'This link has expired, was used already, or was withdrawn',
      );
    case 'invalid':
      return answer(422, html ? `Janua ${titles[is]}` : 'Some fields cannot be accepted.');
    case 'stale':
      if (html)
        return answer(303, `/auth/confirm?next=${encodeURIComponent(`${provedFor[is] ?? `/account/${is}`}?unsent=1`)}`);
      return answer(401, 'Confirm your identity first', 'kept', {
        challenge: 'Bearer realm="janua", error="insufficient_user_authentication", max_age=600',
      });
    case 'no-such-session':
      return answer(404, html ? 'Janua Not Found' : 'You have no session with that id');
    case 'ended-own':
      return html ? answer(303, '/auth/login?state=0', 'cleared') : answer(200, detail, 'cleared');
    case 'refused':
      if (html) return answer(303, '/auth/login?state=3');
      return answer(400, 'Incorrect username or password');
    case 'throttled':
      return answer(
        429,
        html
          ? `Janua Login: Too many attempts. Please wait before trying again. Try again in ${inWords(outcome.retryAfterSeconds)}.`
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
    case 'confirmed':
      return html ? answer(303, outcome.byOwner ? page : '/auth/login?state=10') : answer(200, detail);
    case 'done':
      if (html && outcome.looksOver) return answer(303, `${page}&next=%2Faccount%2Fsecurity%3Fstate%3D8`);
      if (html) return answer(303, page, is === 'delete' ? 'cleared' : 'kept');
      return answer(200, detail);
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
