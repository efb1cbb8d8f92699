import type { Client } from './client.ts';
import { type Check, ok, warning, wrong } from './finding.ts';

/** Checks that Janua is there and works. Returns true if the other checks can run. */
export async function* checkReach(client: Client): Check<true | undefined> {
  const page = await client.ask('GET /auth/login');
  if (page.status !== 200 || !page.body.includes('name="password"')) {
    const fix =
      page.status >= 500
        ? 'Start Janua, and let the proxy pass requests on to its HOST and PORT.'
        : 'Use the address that users open in --against, and let the proxy pass every path on unchanged.';
    yield wrong(`GET /auth/login gives no login page, but the status ${page.status}.`, fix);
    return undefined;
  }
  yield ok(`${client.origin} gives the login page.`);

  const ready = await client.ask('GET /health/ready', { mayBeTheProxys: true });
  if (ready.status === 200) yield ok('GET /health/ready says that users can sign in.');
  else if (ready.status === 503)
    yield wrong(`GET /health/ready says: ${String(ready.members().detail)}.`, 'On the server: ./bin/janua doctor');
  else
    yield warning(
      `GET /health/ready answers ${ready.status}: a monitor outside cannot see whether users can sign in.`,
      'Let the proxy pass on /health/ready, unless only machines inside ask for it.',
    );
  return true;
}
