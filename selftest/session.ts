import { randomBytes } from 'node:crypto';
import type { Client } from './client.ts';
import { parseSetCookie } from './cookies.ts';
import { type Check, ok, warning, wrong } from './finding.ts';
import { asJson } from './formats.ts';
import type { Account, Login, Sessions } from './sessions.ts';

const leaveCookies = 'Let the proxy pass on Cookie and Set-Cookie unchanged.';
const leaveAll = 'Let the proxy pass everything on unchanged, and store no responses.';

/** Logs the user in. Returns the login if the other checks can use it. */
export async function* checkLogin({ username }: Account, sessions: Sessions): Check<Login | undefined> {
  const login = await sessions.logIn('POST /api/login');
  const { answer, cookie, token } = login;
  if (answer.status === 429) {
    const seconds = answer.header('retry-after');
    yield wrong('The user has to wait before the next try.', `Run the test again in ${seconds} seconds.`);
  } else if (answer.status === 400)
    yield wrong(
      `The server refuses the password of ${username}.`,
      `On the server: ./bin/janua users set-password ${username}`,
    );
  else if (answer.status !== 200 || token.authorization === undefined)
    yield wrong(`The login of ${username} answers ${answer.status}, without an access token.`, leaveAll);
  else {
    yield ok(`${username} can sign in, and gets an access token.`);
    const isKeptByNone = answer.lines('pragma').some((line) => /\bno-cache\b/i.test(line));
    if (!isKeptByNone) yield warning('The response with the token has no Pragma: no-cache.', leaveAll);
    if (cookie.cookie !== undefined) return login;
    yield wrong('The login sets no session cookie: users cannot sign in with a browser.', leaveCookies);
  }
  return undefined;
}

/**
 * Checks that a login starts a new session, ends the earlier one (ASVS 7.2.4), and never adopts a made-up session.
 * Returns two live sessions.
 */
export async function* checkRenewal(first: Login, { username }: Account, sessions: Sessions): Check<[Login, Login]> {
  const second = await sessions.logIn('POST /auth/token', first.cookie);
  const isNew = second.cookie.cookie !== undefined && second.cookie.cookie !== first.cookie.cookie;
  if (second.answer.status !== 303) yield wrong(`A second login answers ${second.answer.status}, not 303.`, leaveAll);
  yield isNew
    ? ok('A second login starts another session.')
    : wrong('A second login sets no new session cookie.', leaveCookies);
  yield (await sessions.isSignedIn(first.cookie)) || (await sessions.isSignedIn(first.token))
    ? wrong(`The earlier session of ${username} is still active.`, leaveAll)
    : ok('The earlier session has ended, by cookie and by token.');

  const [name = ''] = (second.cookie.cookie ?? '').split('=', 1);
  const madeUp = { cookie: `${name}=${randomBytes(32).toString('base64url')}` };
  const third = await sessions.logIn('POST /api/login', madeUp);
  yield third.cookie.cookie === madeUp.cookie || (await sessions.isSignedIn(madeUp))
    ? wrong('A login adopts an invented session.', leaveCookies)
    : ok('A login never adopts an invented session.');
  return [second, third];
}

/** Checks that pages and API accept the cookie and the token. */
export async function* checkAccess(client: Client, { cookie, token }: Login, { username }: Account): Check {
  const refused: string[] = [];
  for (const [route, headers] of [
    ['GET /admin/me', { ...asJson, ...cookie }],
    ['GET /api/me', token],
  ] as const) {
    const answer = await client.ask(route, { headers });
    const name = answer.members().username;
    if (answer.status !== 200 || String(name).toLowerCase() !== username.trim().toLowerCase())
      refused.push(`${route} (${answer.status})`);
  }
  const home = await client.ask('GET /auth/home', { headers: cookie });
  if (home.status !== 200) refused.push(`GET /auth/home (${home.status})`);
  yield refused.length === 0
    ? ok('Cookie and token sign their user in, on pages and as JSON.')
    : wrong(`The signed-in user is unknown to ${refused.join(', ')}.`, leaveAll);
}

/** Checks that logout ends a session at once, by cookie and by token, and only by POST (ASVS 3.5.3, 7.4.1). */
export async function* checkLogout(client: Client, logins: readonly [Login, Login], sessions: Sessions): Check {
  const [byPage, byProgram] = logins;
  const link = await client.ask('GET /auth/logout', { headers: byProgram.cookie });
  yield link.status === 405 && (await sessions.isSignedIn(byProgram.token))
    ? ok('A link logs no user out.')
    : wrong(`GET /auth/logout answers ${link.status}, or logs out.`, leaveAll);

  const { origin } = client;
  const program = await client.ask('POST /api/logout', { headers: { origin, ...byProgram.cookie } });
  const page = await client.ask('POST /auth/logout', { headers: { origin, ...byPage.cookie } });
  if (program.status !== 200 || page.status !== 303)
    yield wrong(`Logout answers ${program.status} and ${page.status}, not 200 and 303.`, leaveAll);
  yield [program, page].every(({ lines }) => takesCookie(lines('set-cookie')))
    ? ok('Logout removes the cookie from the browser.')
    : wrong('Logout leaves the cookie in the browser.', leaveCookies);

  const living: string[] = [];
  for (const [name, credential] of [
    ['cookie', byProgram.cookie],
    ['token', byProgram.token],
    ['cookie of the page', byPage.cookie],
  ] as const)
    if (await sessions.isSignedIn(credential)) living.push(name);
  yield living.length === 0
    ? ok('Logout ends a session at once, by cookie and by token.')
    : wrong(`After logout, these still give access: ${living.join(', ')}.`, leaveAll);
}

const takesCookie = (lines: readonly string[]) =>
  lines.map(parseSetCookie).some(({ value, attributes }) => value === '' && attributes.get('max-age') === '0');
