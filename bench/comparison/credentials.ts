import type { Ask } from '../measures/requests.ts';
import { type Answer, type Connection, openConnection } from '../processes/connection.ts';
import { getRequest } from '../requests.ts';
import type { Users } from '../workspace.ts';
import type { Dialect } from './dialects.ts';

/** The requests that measure a server. A server without tokens, a login page or logins lacks those requests. */
export interface Asks {
  readonly cookie: Ask;
  readonly token?: Ask;
  readonly page?: Ask;
  readonly login?: Ask;
}

/**
 * Logs every user in, and checks each credential with a request.
 * @throws if the server does not recognize a user by the cookie or the token
 */
export async function signIn(port: number, dialect: Dialect, { usernames, password }: Users): Promise<Asks> {
  const { me, page, login, loggedIn = '' } = dialect;
  const pageAsk = page === undefined ? {} : { page: { requests: [getRequest(page)], expected: 'name="password"' } };
  if (login === undefined) return { cookie: { requests: [getRequest(me)], expected: '"username":"' }, ...pageAsk };

  const connection = await openConnection(port);
  const logins = usernames.map((username) => login(username, password));
  const found: Pick<Asks, 'cookie' | 'token'>[] = [];
  for (const [index, username] of usernames.entries()) {
    const answer = await exchange(connection, logins[index] ?? '', loggedIn);
    const cookie: Ask = { requests: [getRequest(me, `Cookie: ${cookiesOf(answer)}`)], expected: `"${username}"` };
    const token = dialect.tokenIn?.(answer);
    const authorization = `Authorization: Bearer ${token}`;
    const asks = {
      cookie,
      ...(token === undefined ? {} : { token: { ...cookie, requests: [getRequest(me, authorization)] } }),
    };
    for (const { requests, expected } of Object.values(asks)) await exchange(connection, requests[0] ?? '', expected);
    found.push(asks);
  }
  connection.close();
  const [first] = found;
  if (first === undefined) throw new Error('the contender has no users');
  // The other requests use the first user's session. Further logins of that user would end it, because a user's sessions are limited.
  return { ...first, ...pageAsk, login: { requests: logins.slice(1), expected: loggedIn } };
}

async function exchange(connection: Connection, request: string, expected: string): Promise<Answer> {
  const answer = await connection.exchange(Buffer.from(request));
  if (answer.status === 200 && answer.body.includes(expected)) return answer;
  const [line] = request.split('\r\n');
  throw new Error(
    `${line}: expected 200 and ${expected}, got ${answer.status}: ${answer.body.toString().slice(0, 200)}`,
  );
}

/** Formats the cookies of a response for a `Cookie` header, without their attributes. */
const cookiesOf = ({ head }: Answer) =>
  [...head.matchAll(/\r\nset-cookie: *([^;\r]*)/gi)].map(([, cookie]) => cookie).join('; ');
