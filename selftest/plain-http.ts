import { type Answer, type Client, NoAnswer } from './client.ts';
import { type Check, type Finding, ok, warning, wrong } from './finding.ts';

/**
 * Checks that passwords cannot cross the network in the clear (ASVS 12.2.1). Pages must redirect to HTTPS. A program's POST must
 * be refused: a redirect would hide that the program has sent a password in the clear (ASVS 4.1.2).
 * @param port of plain HTTP
 */
export async function* checkPlainHttp(client: Client, port: number): Check {
  if (!client.https) {
    yield judgePlainOrigin(client.origin);
    return;
  }
  const { hostname, origin: secure } = new URL(client.origin);
  const origin = new URL(`http://${hostname}:${port}`).origin;
  const page = await client.ask('GET /auth/login', { origin }).catch(nothing);
  if (page === undefined) {
    yield ok(`No program answers plain HTTP at port ${port}.`);
    return;
  }
  const fix = `Let the proxy answer plain HTTP itself: GET with 308 to ${secure}, all other methods with 403.`;
  yield judgePage(page, secure, fix);

  const login = await client.ask('POST /api/login', { origin }).catch(nothing);
  if (login !== undefined && reachesJanua(login))
    yield wrong(`A login by plain HTTP at port ${port} reaches Janua: passwords cross the network in the clear.`, fix);
  else if (login !== undefined && isRedirect(login))
    yield warning('A login by plain HTTP is redirected to HTTPS after its password was sent in the clear.', fix);
  else yield ok('The server refuses a login by plain HTTP.');

  if ([page, login].some((answer) => answer?.header('strict-transport-security') !== undefined))
    yield warning('HSTS is sent by plain HTTP too (RFC 6797 7.2).', 'Let the proxy add it to responses by HTTPS only.');
}

export function judgePlainOrigin(origin: string): Finding {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(new URL(origin).hostname)
    ? ok('Plain HTTP on this machine alone is fine for a demo. TLS is not checked.')
    : wrong(
        'Passwords and cookies cross the network in the clear.',
        'PUBLIC_URL=https://…, with a TLS proxy that passes requests on to Janua.',
      );
}

function judgePage(page: Answer, secure: string, fix: string): Finding {
  if (isRedirect(page)) {
    const to = page.header('location') ?? '';
    return URL.canParse(to) && new URL(to).origin === secure
      ? ok(`A page requested by plain HTTP redirects to ${secure}.`)
      : wrong(`A page requested by plain HTTP redirects to ${to}.`, fix);
  }
  return page.status < 300 || reachesJanua(page)
    ? wrong('The login page comes by plain HTTP: an attacker on the network can change it.', fix)
    : ok(`The server refuses a page by plain HTTP (${page.status}).`);
}

const isRedirect = ({ status }: Answer) => status >= 300 && status < 400;

const reachesJanua = (answer: Answer) =>
  answer.status < 300 || answer.header('x-request-id') !== undefined || 'error' in answer.members();

function nothing(error: unknown): undefined {
  if (!(error instanceof NoAnswer)) throw error;
}
