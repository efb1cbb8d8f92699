import type { Ask } from '../measures/requests.ts';
import { type Answer, type Connection, openConnection } from '../processes/connection.ts';
import { getRequest } from '../requests.ts';
import type { Users } from '../workspace.ts';
import type { Dialect } from './dialects.ts';

/** What a server is asked, where it has an answer. */
export interface Asks {
  readonly cookie: Ask;
  readonly token?: Ask;
  readonly page?: Ask;
  readonly login?: Ask;
}

/**
 * Signs every user in, as a client of theirs would.
 * @throws unless each is then who they are, by every credential that they were given
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
  if (first === undefined) throw new Error('there is no user to sign in');
  // Logins of the first user would soon end the session that the other requests use: a user may have only so many.
  return { ...first, ...pageAsk, login: { requests: logins.slice(1), expected: loggedIn } };
}

async function exchange(connection: Connection, request: string, expected: string): Promise<Answer> {
  const answer = await connection.exchange(Buffer.from(request));
  if (answer.status === 200 && answer.body.includes(expected)) return answer;
  const [line] = request.split('\r\n');
  throw new Error(
    `${line} was answered ${answer.status}, without ${expected}: ${answer.body.toString().slice(0, 200)}`,
  );
}

/** Names and values alone. */
const cookiesOf = ({ head }: Answer) =>
  [...head.matchAll(/\r\nset-cookie: *([^;\r]*)/gi)].map(([, cookie]) => cookie).join('; ');
