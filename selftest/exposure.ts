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
      ? 'GET /docs shows how Janua is used, to anybody; DOCS=off turns it off.'
      : `GET /docs shows nothing (${docs.status}).`,
  );
  const shown: string[] = [];
  for (const path of ['/.git/HEAD', '/.env', '/.git/config']) {
    const { status } = await client.ask(`GET ${path}`, { mayBeTheProxys });
    if (status < 400) shown.push(`${path} (${status})`);
  }
  yield shown.length === 0
    ? ok('No files are shown that begin with a dot.')
    : wrong(
        `Files can be read: ${shown.join(', ')}.`,
        'Have the proxy pass everything on, and serve no folder itself.',
      );

  const metrics = await client.ask('GET /metrics', { mayBeTheProxys });
  yield metrics.status < 300
    ? warning('GET /metrics can be read by anybody.', 'Have the proxy refuse /metrics to those outside.')
    : ok(`GET /metrics shows nothing (${metrics.status}).`);

  const trace = await client.ask('TRACE /', { mayBeTheProxys });
  yield trace.status >= 400
    ? ok(`TRACE is refused (${trace.status}).`)
    : wrong('TRACE shows what the proxy adds to requests (ASVS 13.4.4).', 'In the proxy (Apache): TraceEnable off');
}

/** Checks that the server refuses large requests (ASVS 15.2.2), and ignores credentials in an address (ASVS 14.2.1). */
export async function* checkLimits(client: Client): Check {
  const header = await refusalOf(
    client.ask('GET /auth/login', { headers: { 'x-padding': 'x'.repeat(largeHeader) }, mayBeTheProxys }),
  );
  yield header === undefined
    ? warning('Headers of 20 KiB are taken.', 'Leave --max-http-header-size of Node as it is.')
    : ok(`Headers of 20 KiB are refused (${header}).`);

  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const body = await refusalOf(
    client.ask('POST /auth/token', { headers, body: `next=${'x'.repeat(largeBody)}`, mayBeTheProxys }),
    413,
  );
  yield body === undefined
    ? warning(
        'A body of 70 KiB is taken.',
        'Look whether this is Janua; in the proxy (nginx): client_max_body_size 64k;',
      )
    : ok(`A body of 70 KiB is refused (${body}).`);

  // Made up, because addresses end up in logs.
  const query = await client.ask('POST /api/login?username=made-up&password=made-up');
  yield query.status === 400 && query.members().error === 'invalid_request'
    ? ok('A name and a password in the address are not read.')
    : wrong(
        `A login by the address answers ${query.status}.`,
        'Have the proxy pass on the query string as it is, and put nothing of it into the body.',
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
