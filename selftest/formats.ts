import { randomBytes } from 'node:crypto';
import type { Answer, Client } from './client.ts';
import { type Check, ok, warning, wrong } from './finding.ts';

/** Asks for JSON instead of a page. */
export const asJson = { 'x-expected-format': 'application/json' };

/** Checks that the requested format and the credentials pass the proxy, and that the answers return unchanged. */
export async function* checkFormats(client: Client): Check {
  const page = await client.ask('GET /admin/me');
  const json = await client.ask('GET /admin/me', { headers: asJson });
  const isLedToLogin = page.status === 303 && page.header('location')?.includes('/auth/login?state=2');
  yield isLedToLogin && json.status === 401 && isJson(json)
    ? ok('The server answers a page with a page, and JSON with JSON.')
    : wrong(
        `GET /admin/me answers ${page.status} for a page and ${json.status} for JSON, not 303 and 401.`,
        'Let the proxy pass on the request header x-expected-format, and statuses unchanged.',
      );
  yield [page, json].every(({ lines }) => lines('vary').some((line) => /\bx-expected-format\b/i.test(line)))
    ? ok('Vary tells caches of the two formats.')
    : warning('Vary does not name x-expected-format.', 'Let the proxy add to Vary, not replace it.');

  const nowhere = `GET /${randomBytes(8).toString('hex')}`;
  const notFound = await client.ask(nowhere, { headers: asJson });
  yield notFound.status === 404 && isJson(notFound)
    ? ok('Errors arrive as Janua sends them.')
    : wrong(
        `An unknown address gives ${notFound.status} as ${notFound.header('content-type')}, not 404 as JSON.`,
        "Let the proxy not replace Janua's error pages (nginx): proxy_intercept_errors off;",
      );

  const stranger = await client.ask('GET /api/me', { headers: { authorization: 'Bearer made-up' } });
  yield stranger.status === 401 && stranger.header('www-authenticate')?.includes('invalid_token')
    ? ok('Access tokens reach Janua, and an invented one gives no access.')
    : wrong(
        `GET /api/me with an invented access token answers ${stranger.status}, or as if there were no token.`,
        'Let the proxy pass on Authorization in requests, and WWW-Authenticate in responses.',
      );
}

const isJson = (answer: Answer) => typeof answer.members().detail === 'string';
