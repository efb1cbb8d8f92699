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
    ? ok('A page is answered as a page, and JSON as JSON.')
    : wrong(
        `GET /admin/me answers ${page.status} where a page is asked for, and ${json.status} for JSON: not 303 and 401.`,
        'Have the proxy pass on the request header x-expected-format, and statuses as they are.',
      );
  yield [page, json].every(({ lines }) => lines('vary').some((line) => /\bx-expected-format\b/i.test(line)))
    ? ok('Vary tells caches of the two formats.')
    : warning('Vary does not name x-expected-format.', 'Have the proxy add to Vary, and not replace it.');

  const nowhere = `GET /${randomBytes(8).toString('hex')}`;
  const notFound = await client.ask(nowhere, { headers: asJson });
  yield notFound.status === 404 && isJson(notFound)
    ? ok('Errors come as Janua gives them.')
    : wrong(
        `An address that is not there gives ${notFound.status} as ${notFound.header('content-type')}, not 404 as JSON.`,
        'Have the proxy put no error pages of its own in place of ours (nginx): proxy_intercept_errors off;',
      );

  const stranger = await client.ask('GET /api/me', { headers: { authorization: 'Bearer made-up' } });
  yield stranger.status === 401 && stranger.header('www-authenticate')?.includes('invalid_token')
    ? ok('Access tokens reach Janua, and one that was made up lets nobody in.')
    : wrong(
        `GET /api/me with an access token that was made up answers ${stranger.status}, or as if there were none.`,
        'Have the proxy pass on Authorization, and WWW-Authenticate back.',
      );
}

const isJson = (answer: Answer) => typeof answer.members().detail === 'string';
