import { type Client, NoAnswer } from './client.ts';
import { type Check, ok, warning, wrong } from './finding.ts';

const mayBeTheProxys = true;

/** In bytes. Node accepts 16 KiB for all headers together. */
const largeHeader = 20 * 1024;

/** In bytes. Janua accepts 64 KiB. */
const largeBody = 70 * 1024;

/** Checks that the server shows no more than necessary (ASVS 13.4). */
export async function* checkExposure(client: Client): Check {
  const docs = await client.ask('GET /docs', { mayBeTheProxys });
  yield ok(
    docs.status === 200
      ? 'GET /docs shows the API documentation to every client. DOCS=off turns it off.'
      : `GET /docs shows nothing (${docs.status}).`,
  );
  const shown: string[] = [];
  for (const path of ['/.git/HEAD', '/.env', '/.git/config']) {
    const { status } = await client.ask(`GET ${path}`, { mayBeTheProxys });
    if (status < 400) shown.push(`${path} (${status})`);
  }
  yield shown.length === 0
    ? ok('The proxy serves no files whose names begin with a dot.')
    : wrong(
        `Clients can read files: ${shown.join(', ')}.`,
        'Let the proxy pass everything on, and serve no folder itself.',
      );

  const metrics = await client.ask('GET /metrics', { mayBeTheProxys });
  yield metrics.status < 300
    ? warning('Every client can read GET /metrics.', 'Let the proxy refuse /metrics to clients outside.')
    : ok(`GET /metrics shows nothing (${metrics.status}).`);

  const trace = await client.ask('TRACE /', { mayBeTheProxys });
  yield trace.status >= 400
    ? ok(`The server refuses TRACE (${trace.status}).`)
    : wrong('TRACE shows what the proxy adds to requests (ASVS 13.4.4).', 'In the proxy (Apache): TraceEnable off');
}

/** Checks that the server refuses large requests (ASVS 15.2.2), and ignores credentials in an address (ASVS 14.2.1). */
export async function* checkLimits(client: Client): Check {
  const header = await refusalOf(
    client.ask('GET /auth/login', { headers: { 'x-padding': 'x'.repeat(largeHeader) }, mayBeTheProxys }),
  );
  yield header === undefined
    ? warning('The server accepts headers of 20 KiB.', 'Do not set --max-http-header-size of Node.')
    : ok(`The server refuses headers of 20 KiB (${header}).`);

  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const body = await refusalOf(
    client.ask('POST /auth/token', { headers, body: `next=${'x'.repeat(largeBody)}`, mayBeTheProxys }),
    413,
  );
  yield body === undefined
    ? warning(
        'The server accepts a body of 70 KiB.',
        'Check whether Janua answers there. In the proxy (nginx): client_max_body_size 64k;',
      )
    : ok(`The server refuses a body of 70 KiB (${body}).`);

  // Made up, because addresses end up in logs.
  const query = await client.ask('POST /api/login?username=made-up&password=made-up');
  yield query.status === 400 && query.members().error === 'invalid_request'
    ? ok('The server ignores a name and a password in the URL.')
    : wrong(
        `A login with the password in the URL answers ${query.status}.`,
        'Let the proxy pass on the query string unchanged, and copy nothing of it into the body.',
      );
}

/** The status of the refusal. Some servers close the connection instead, while the request is still being sent. */
async function refusalOf(
  asked: Promise<{ status: number }>,
  lowest = 400,
): Promise<number | 'the connection was closed' | undefined> {
  try {
    const { status } = await asked;
    return status >= lowest ? status : undefined;
  } catch (error) {
    if (error instanceof NoAnswer && /^(?:ECONNRESET|EPIPE|ECONNABORTED)$/.test(error.code))
      return 'the connection was closed';
    throw error;
  }
}
