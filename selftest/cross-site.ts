import type { Client, Headers } from './client.ts';
import { sessionCookieOf } from './cookies.ts';
import { type Check, ok, wrong } from './finding.ts';

/** A foreign site. The name is reserved, so it can never be ours (RFC 6761 6.5). */
export const foreignHost = 'attacker.example';
const foreignOrigin = `https://${foreignHost}`;

/**
 * Checks that the server recognizes its own pages. It does not if `PUBLIC_URL` differs from the address that users type.
 * A logout without a session changes nothing. Returns whether the server refuses its own pages, and so every login.
 */
export async function* checkPublicUrl(client: Client): Check<boolean> {
  const { origin } = client;
  const { status } = await client.ask('POST /api/logout', { headers: { origin } });
  if (status === 401) yield ok(`PUBLIC_URL fits: the server accepts forms of ${origin}.`);
  else if (status === 403)
    yield wrong(
      `The server refuses forms of ${origin}: users cannot sign in with a browser.`,
      `PUBLIC_URL must be ${origin}; or use the address that users open in --against.`,
    );
  else yield wrong(`POST /api/logout from a page of ${origin} answers ${status}, not 401.`, proxyFix);
  return status === 403;
}

const proxyFix = 'Let the proxy pass on methods, paths, Origin and Sec-Fetch-Site unchanged.';

/** Checks that other sites cannot act as the user (ASVS 3.5.1). The login has no name or password, so it would fail anyway. */
export async function* checkCrossSite(client: Client): Check {
  const { origin } = client;
  const otherScheme = origin.replace(/^https?/, client.https ? 'http' : 'https');
  const senders: readonly (readonly [from: string, headers: Headers])[] = [
    ['another site', { origin: foreignOrigin }],
    ['a site whose name begins like ours', { origin: `${origin}.${foreignHost}` }],
    ['the same host with another scheme', { origin: otherScheme }],
    ['a page without an origin', { origin: 'null' }],
    ['another site, by Sec-Fetch-Site alone', { 'sec-fetch-site': 'cross-site', origin }],
    ['another host of the same site, by Sec-Fetch-Site alone', { 'sec-fetch-site': 'same-site', origin }],
  ];
  const taken: string[] = [];
  for (const [from, headers] of senders) {
    const answer = await client.ask('POST /auth/token', { headers });
    if (answer.status !== 403 || sessionCookieOf(answer) !== undefined) taken.push(`${from} (${answer.status})`);
  }
  yield taken.length === 0
    ? ok(`The server refuses logins from pages of other sites, in ${senders.length} variants.`)
    : wrong(`The server accepts a login sent by ${taken.join('; by ')}.`, proxyFix);
}

/** What the provider publishes for applications in browsers. */
const published = /^GET \/(?:\.well-known\/|oidc\/jwks)/;

/** Checks that scripts of other sites cannot read answers (ASVS 3.4.2): in every answer so far, and in a preflight request. */
export async function* checkCors(client: Client): Check {
  await client.ask('GET /api/me', { headers: { origin: foreignOrigin } });
  await client.ask('OPTIONS /api/login', {
    headers: { origin: foreignOrigin, 'access-control-request-method': 'POST' },
  });
  const open = client.answers.find(
    ({ route, header }) => header('access-control-allow-origin') !== undefined && !published.test(route),
  );
  yield open === undefined
    ? ok('Scripts of other sites cannot read responses.')
    : wrong(
        `${open.route} lets scripts of ${open.header('access-control-allow-origin')} read the response.`,
        'Remove Access-Control-Allow-Origin from the proxy: only CORS_ORIGINS names the allowed sites.',
      );
}
